import { http, newKey, type RequestOptions } from "./http";
import type * as T from "./types";

type Query = NonNullable<RequestOptions["query"]>;
const get = <R>(path: string, query?: Query) => http.request<R>(path, { query });
const send = <R>(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown, idempotencyKey?: string) =>
  http.request<R>(path, { method, body, idempotencyKey });

function formOf(file: File): FormData {
  const form = new FormData();
  form.append("file", file);
  return form;
}

/** Every call of the protocol that the pages make, by name. */
export const api = {
  // identity
  register: (input: { email: string; password: string; name: string; language?: string; time_zone?: string }) =>
    send<{ user: T.User }>("POST", "/auth/register", input),
  login: (input: { email: string; password: string; code?: string }) => send<T.SignedIn>("POST", "/auth/login", { ...input, client: "browser" }),
  loginFactor: (input: { pending_token: string; code?: string; passkey?: T.Answered }) => send<T.SignedIn>("POST", "/auth/login/factor", input),
  passkeyOptions: () => send<T.Ceremony>("POST", "/auth/passkey/options", {}),
  passkeyLogin: (input: T.Answered) => send<T.SignedIn>("POST", "/auth/passkey", { ...input, client: "browser" }),
  signInProviders: () => get<{ items: { id: string; name: string }[] }>("/auth/providers"),
  beginProvider: (id: string) => send<{ url: string }>("POST", `/auth/providers/${id}`, {}),
  finishProvider: (input: { state: string; code: string }) => send<T.SignedIn>("POST", "/auth/providers/return", input),
  linkProvider: (input: { link_token: string; password: string; code?: string }) => send<T.SignedIn>("POST", "/auth/providers/link", input),
  linkedProviders: () => get<{ items: { provider: string; name: string; linked_at: T.Time }[] }>("/me/identities"),
  beginLink: (id: string) => send<{ url: string }>("POST", `/auth/identities/${id}`, {}),
  finishLink: (input: { state: string; code: string }) => send<void>("POST", "/auth/identities/return", input),
  unlinkProvider: (id: string) => send<void>("DELETE", `/me/identities/${id}`),
  stepUp: (input: { password?: string; code?: string; passkey?: T.Answered }) => send<T.SignedIn>("POST", "/auth/step-up", input),
  logout: () => send<void>("POST", "/auth/logout", {}),
  actAs: (role: T.Role) => send<T.SignedIn>("POST", "/auth/role", { role }),
  askReset: (email: string) => send<void>("POST", "/auth/password-reset", { email }),
  finishReset: (input: { secret: string; password: string }) => send<void>("POST", "/auth/password-reset/finish", input),
  openProviderAccount: (input: { link_token: string; name: string; birth_date: string; language: string; time_zone: string; terms_accepted: true }) =>
    send<T.SignedIn>("POST", "/auth/providers/register", input),
  emailChange: () => get<{ email: string | null; expires_at: T.Time | null }>("/me/email-change"),
  changeEmail: (email: string) => send<void>("PUT", "/me/email-change", { email }),
  cancelEmailChange: () => send<void>("DELETE", "/me/email-change"),
  confirmEmail: (secret: string) => send<void>("POST", "/auth/email-change/confirm", { secret }),
  undoEmail: (secret: string) => send<void>("POST", "/auth/email-change/undo", { secret }),
  staffInvitations: (query?: { cursor?: string; limit?: number }) => get<T.Page<T.StaffInvitation>>("/staff-invitations", query),
  inviteStaff: (input: T.NewStaffInvitation) => send<T.StaffInvitation>("POST", "/staff-invitations", input),
  revokeStaffInvitation: (id: T.Id) => send<void>("DELETE", `/staff-invitations/${id}`),
  readStaffInvitation: (secret: string) => send<T.Invited>("POST", "/auth/staff-invitations/read", { secret }),
  acceptStaffInvitation: (input: { secret: string; name: string; password: string; language: string; time_zone: string }) =>
    send<T.SignedIn>("POST", "/auth/staff-invitations/accept", input),
  addInvitedRole: (secret: string) => send<T.User>("POST", "/me/staff-invitations", { secret }),
  verifyEmail: (secret: string) => send<void>("POST", "/auth/verify-email", { secret }),
  changePassword: (password: string) => send<void>("PUT", "/me/password", { password }),
  sessions: () => get<T.Page<T.Session>>("/me/sessions"),
  endSession: (id: T.Id) => send<void>("DELETE", `/me/sessions/${id}`),
  endOtherSessions: () => send<void>("DELETE", "/me/sessions?others=true"),
  security: () => get<T.Security>("/me/security"),
  offerTotp: () => send<{ secret: string; uri: string; qr: string }>("POST", "/me/factors/totp", {}),
  confirmTotp: (code: string) => send<T.FactorAdded>("POST", "/me/factors/totp/confirm", { code }),
  removeTotp: () => send<void>("DELETE", "/me/factors/totp"),
  newRecoveryCodes: () => send<{ recovery_codes: string[] }>("POST", "/me/factors/recovery-codes", {}),
  offerPasskey: () => send<T.Ceremony>("POST", "/me/passkeys/options", {}),
  addPasskey: (input: T.Answered & { name: string }) => send<T.FactorAdded>("POST", "/me/passkeys", input),
  renamePasskey: (id: T.Id, name: string) => send<void>("PATCH", `/me/passkeys/${id}`, { name }),
  removePasskey: (id: T.Id) => send<void>("DELETE", `/me/passkeys/${id}`),
  me: () => get<T.Profile>("/me"),
  changeMe: (input: Partial<Pick<T.Profile, "name" | "language" | "time_zone" | "phone" | "birth_date">>) => send<T.Profile>("PATCH", "/me", input),
  patient: (id: T.Id) => get<T.Patient>(`/patients/${id}`),
  people: (query: { role?: string; q?: string; cursor?: string; limit?: number }) => get<T.Page<T.Person>>("/people", query),
  setRoles: (id: T.Id, roles: T.Role[]) => send<T.Person>("PUT", `/people/${id}/roles`, { roles }),
  setActive: (id: T.Id, active: boolean) => send<T.Person>("POST", `/people/${id}/${active ? "activate" : "deactivate"}`),
  setLicence: (id: T.Id, input: { verified: boolean; published: boolean; expires_on: string | null }) => send<T.Person>("PUT", `/practitioners/${id}/licence`, input),
  family: () => get<T.Family>("/family"),
  addDependant: (input: { name: string; birth_date: T.DateOnly }) => send<T.Proxy>("POST", "/family/dependants", input),
  inviteProxy: (input: { patient_id?: T.Id; email: string; kind: "parent" | "carer"; scopes: T.ProxyScope[]; until?: T.Time }) =>
    send<T.ProxyInvitation>("POST", "/family/invitations", input),
  acceptProxy: (invitation: T.Id) => send<T.Proxy>("POST", `/family/invitations/${invitation}/accept`),
  declineProxy: (invitation: T.Id) => send<void>("DELETE", `/family/invitations/${invitation}`),
  proxies: (patient: T.Id) => get<{ items: T.Proxy[] }>(`/patients/${patient}/proxies`),
  recordProxy: (patient: T.Id, input: { proxy_id: T.Id; kind: T.ProxyKind; scopes: T.ProxyScope[]; until?: T.Time }) =>
    send<T.Proxy>("POST", `/patients/${patient}/proxies`, input),
  verifyProxy: (id: T.Id) => send<T.Proxy>("POST", `/proxies/${id}/verify`),
  endProxy: (id: T.Id, note?: string) => send<T.Proxy>("POST", `/proxies/${id}/end`, note ? { note } : {}),
  demo: () => get<T.Demo>("/demo"),

  // scheduling
  specialties: () => get<{ items: T.Specialty[] }>("/specialties"),
  providers: (query: T.ProviderQuery) => get<T.Page<T.Provider>>("/providers", query),
  providerChoices: () => get<T.ProviderChoices>("/providers/choices"),
  provider: (id: T.Id) => get<T.Provider>(`/providers/${id}`),
  available: (practitioner_id: T.Id, date: string, days?: number) => get<{ items: T.Slot[]; time_zone: string }>("/appointments/available", { practitioner_id, date, days }),
  hold: (input: { practitioner_id: T.Id; start: T.Time; patient_id?: T.Id }) => send<T.Hold>("POST", "/appointments/holds", input),
  releaseHold: (id: T.Id) => send<void>("DELETE", `/appointments/holds/${id}`),
  book: (input: { practitioner_id: T.Id; start: T.Time; reason?: string; patient_id?: T.Id; overlap_reason?: string }, key?: string) =>
    send<T.Appointment>("POST", "/appointments", { kind: "video", ...input }, key),
  appointments: (query: { practitioner_id?: T.Id; patient_id?: T.Id; date?: string; from?: string; to?: string; status?: string; cursor?: string; limit?: number }) =>
    get<T.Page<T.Appointment>>("/appointments", query),
  appointment: (id: T.Id) => get<T.Appointment>(`/appointments/${id}`),
  setStatus: (id: T.Id, input: { status: T.StatusWord; start?: T.Time; reason?: string }) => send<T.Appointment>("PUT", `/appointments/${id}/status`, input),
  cancel: (id: T.Id) => send<T.Appointment>("DELETE", `/appointments/${id}`),
  schedule: (practitioner: T.Id) => get<T.Schedule>(`/practitioners/${practitioner}/schedule`),
  saveSchedule: (practitioner: T.Id, schedule: T.Schedule) => send<T.Schedule>("PUT", `/practitioners/${practitioner}/schedule`, schedule),
  bookSeries: (input: { practitioner_id: T.Id; start: T.Time; every: T.Every; count: number; reason?: string; patient_id?: T.Id }, key?: string) =>
    send<{ series_id: T.Id; items: T.Appointment[] }>("POST", "/appointments/series", input, key),
  previewSchedule: (practitioner: T.Id, schedule: T.Schedule, from: string, days: number) =>
    send<T.SchedulePreview>("POST", `/practitioners/${practitioner}/schedule/preview`, { schedule, from, days }),
  waitlist: (query: { practitioner_id?: T.Id; limit?: number } = {}) => get<T.Page<T.WaitlistEntry>>("/waitlist", query),
  joinWaitlist: (input: { practitioner_id?: T.Id; specialty?: string; first_day: string; last_day: string; patient_id?: T.Id }) => send<T.WaitlistEntry>("POST", "/waitlist", input),
  acceptOffer: (id: T.Id, input: { reason?: string } = {}) => send<T.Appointment>("POST", `/waitlist/${id}/accept`, input),
  declineOffer: (id: T.Id) => send<T.WaitlistEntry>("POST", `/waitlist/${id}/decline`),
  leaveWaitlist: (id: T.Id) => send<T.WaitlistEntry>("DELETE", `/waitlist/${id}`),
  /** Who waits now; one's own place to patients. */
  dropIns: (query: { specialty?: string } = {}) => get<{ items: T.DropIn[] }>("/drop-ins", query),
  dropInOf: (id: T.Id) => get<T.DropIn>(`/drop-ins/${id}`),
  dropIn: (input: { specialty: string; reason?: string; patient_id?: T.Id }) => send<T.DropIn>("POST", "/drop-ins", input),
  leaveDropIn: (id: T.Id) => send<T.DropIn>("DELETE", `/drop-ins/${id}`),
  nextDropIn: () => send<T.Appointment>("POST", "/drop-ins/next"),
  feed: () => get<T.FeedState>("/me/calendar-feed"),
  makeFeed: (language: string) => send<{ url: string }>("POST", "/me/calendar-feed", { language }),
  endFeed: () => send<void>("DELETE", "/me/calendar-feed"),
  outsideCalendars: (practitioner: T.Id) => get<{ items: T.OutsideCalendar[] }>(`/practitioners/${practitioner}/calendars`),
  addCalendar: (practitioner: T.Id, input: { name: string; address: string }) => send<T.OutsideCalendar>("POST", `/practitioners/${practitioner}/calendars`, input),
  removeCalendar: (practitioner: T.Id, id: T.Id) => send<void>("DELETE", `/practitioners/${practitioner}/calendars/${id}`),
  readCalendar: (practitioner: T.Id, id: T.Id) => send<void>("POST", `/practitioners/${practitioner}/calendars/${id}/read`),

  // the visit
  videoToken: (appointment: T.Id) => get<T.VisitToken>(`/appointments/${appointment}/video-token`),
  guestVideoToken: (guestToken: string) => http.request<T.VisitToken>("/guest/video-token", { token: guestToken }),
  probeToken: (appointment: T.Id) =>
    send<T.ProbeToken>("POST", `/appointments/${appointment}/probe-token`, {}),
  practiceToken: () => send<{ token: string; expires_at: T.Time; namespace: string }>("POST", "/practice/token", {}),
  invite: (consultation: T.Id, input: { role: "interpreter" | "guest"; name: string }) => send<T.Invitation>("POST", `/consultations/${consultation}/invitations`, input),
  invitations: (consultation: T.Id) => get<{ items: T.InvitationInfo[] }>(`/consultations/${consultation}/invitations`),
  revokeInvitation: (consultation: T.Id, id: T.Id) => send<void>("DELETE", `/consultations/${consultation}/invitations/${id}`),
  checkIn: (appointment: T.Id, query: { country?: string; language?: string } = {}) => get<T.CheckIn>(`/appointments/${appointment}/check-in`, query),
  agreeToVideo: (appointment: T.Id, input: { version: number; language: string }) => send<T.CheckIn>("PUT", `/appointments/${appointment}/consent`, input),
  saveCheckIn: (appointment: T.Id, input: { identity_confirmed: true; red_flags_read: true; country: string; place: string; callback_phone: string; language?: string }) =>
    send<T.CheckIn>("PUT", `/appointments/${appointment}/check-in`, input),
  interpreters: () => get<{ items: T.Interpreter[] }>("/interpreters"),
  putInterpreter: (person: T.Id, languages: string[]) => send<T.Interpreter>("PUT", `/interpreters/${person}`, { languages }),
  removeInterpreter: (person: T.Id) => send<void>("DELETE", `/interpreters/${person}`),
  interpreting: () => get<T.Interpreting>("/me/interpreting"),
  setOnDuty: (on_duty: boolean) => send<T.Interpreting>("PUT", "/me/interpreting", { on_duty }),
  acceptInterpreting: (offer: T.Id) => send<T.GuestSession>("POST", `/interpreter-offers/${offer}/accept`, {}),
  declineInterpreting: (offer: T.Id) => send<void>("POST", `/interpreter-offers/${offer}/decline`, {}),
  redeem: (secret: string) =>
    send<T.GuestSession>("POST", "/invitations/redeem", { secret }),
  consultation: (id: T.Id) => get<T.Consultation>(`/consultations/${id}`),
  notes: (id: T.Id) => get<T.Notes>(`/consultations/${id}/notes`),
  saveNotes: (id: T.Id, input: { text: string; version: number }) => send<T.Notes>("PUT", `/consultations/${id}/notes`, input),
  complete: (id: T.Id, input: { summary: string; outcome?: string }) => send<T.Consultation>("POST", `/consultations/${id}/complete`, input),
  upload: (id: T.Id, file: File) => http.request<T.ChatFile>(`/consultations/${id}/files`, { method: "POST", form: formOf(file) }),
  file: (id: T.Id, file: T.Id) => http.blob(`/consultations/${id}/files/${file}`),
  guestUpload: (guestToken: string, file: File) => http.request<T.ChatFile>("/guest/files", { method: "POST", form: formOf(file), token: guestToken }),
  guestFile: (guestToken: string, file: T.Id) => http.blob(`/guest/files/${file}`, guestToken),

  // records
  entries: (patient: T.Id, query?: { cursor?: string; limit?: number; kind?: string }) => get<T.Page<T.RecordEntry>>(`/patients/${patient}/medical-records`, query),
  record: (patient: T.Id) => get<T.PatientRecord>(`/records/${patient}`),
  changeRecord: (
    patient: T.Id,
    input: { version: number; summary?: Partial<T.RecordSummary>; add?: { kind: T.EntryKind; content: object; appointment_id?: T.Id }[] },
  ) => send<T.PatientRecord>("PATCH", `/records/${patient}`, input),
  prescribe: (appointment: T.Id, input: T.NewPrescription) => send<T.Prescription>("POST", `/appointments/${appointment}/prescriptions`, input),
  prescriptions: (patient_id: T.Id) => get<T.Page<T.Prescription>>("/prescriptions", { patient_id }),
  pharmacies: (lat: number, lon: number, limit = 5) => get<{ items: T.Pharmacy[] }>("/pharmacies", { lat, lon, limit }),

  // billing
  invoices: (query: { status?: string; appointment_id?: T.Id; patient_id?: T.Id; cursor?: string; limit?: number }) => get<T.Page<T.Invoice>>("/billing/invoices", query),
  invoice: (id: T.Id) => get<T.Invoice>(`/billing/invoices/${id}`),
  invoicePdf: (id: T.Id) => http.blob(`/billing/invoices/${id}.pdf`),
  adjustInvoice: (id: T.Id, input: { version: number; lines: T.InvoiceLine[]; reason: string }) => send<T.Invoice>("PATCH", `/billing/invoices/${id}`, input),
  pay: (input: { invoice_id: T.Id; gateway: "sandbox" | "cash"; method?: { sandbox_outcome?: "succeeded" | "failed" | "pending" } }, key: string = newKey()) =>
    send<T.Payment>("POST", "/payments/process", input, key),
  payments: (invoice_id: T.Id) => get<T.Page<T.Payment>>("/payments", { invoice_id }),
  payment: (id: T.Id) => get<T.Payment>(`/payments/${id}`),
  refund: (payment: T.Id, input: { amount: T.Money; reason: string }, key: string = newKey()) => send<T.Refund>("POST", `/payments/${payment}/refunds`, input, key),
  coverages: (patient_id?: T.Id) => get<T.Page<T.Coverage>>("/billing/coverages", { patient_id }),
  addCoverage: (input: { patient_id?: T.Id; insurer: string; member_number: string }) => send<T.Coverage>("POST", "/billing/coverages", input),
  claims: (invoice_id?: T.Id) => get<T.Page<T.Claim>>("/billing/claims", { invoice_id }),
  fileClaim: (input: { invoice_id: T.Id; coverage_id: T.Id }) => send<T.Claim>("POST", "/billing/claims", input),

  // notices, analytics, compliance
  notices: (query?: { cursor?: string; limit?: number }) => get<T.Page<T.Notice>>("/notifications", query),
  readNotice: (id: T.Id) => send<void>("POST", `/notifications/${id}/read`, {}),
  deliveries: (query?: { cursor?: string; limit?: number }) => get<T.Page<T.Delivery>>("/notifications/deliveries", query),
  mails: () => get<T.Page<T.Mail>>("/demo/mail"),
  mail: (id: T.Id) => get<T.MailMessage>(`/demo/mail/${id}`),
  analytics: (query: { from: string; to: string }) => get<T.AnalyticsSummary>("/analytics/summary", query),
  emergencyAccesses: (query?: { patient_id?: T.Id }) => get<T.Page<T.EmergencyAccess>>("/break-glass", query),
  openEmergencyAccess: (patient: T.Id, reason: string) => send<T.EmergencyAccess>("POST", `/patients/${patient}/break-glass`, { reason }),
  consentTexts: (language: string) => get<{ items: T.ConsentText[] }>("/consents/texts", { language }),
  consents: () => get<{ items: T.Consent[] }>("/me/consents"),
  sayConsent: (kind: T.ConsentKind, input: { given: boolean; version: number; language: string }) => send<T.Consent>("PUT", `/me/consents/${kind}`, input),
  exports: () => get<{ items: T.Export[] }>("/me/exports"),
  askExport: () => send<T.Export>("POST", "/me/exports"),
  exportFile: (id: T.Id) => http.blob(`/me/exports/${id}/file`),
  erasure: () => get<{ request: T.Erasure | null; would_keep: T.Kept[] }>("/me/erasure"),
  askErasure: () => send<T.Erasure>("POST", "/me/erasure"),
  confirmErasure: () => send<T.Erasure>("POST", "/me/erasure/confirm", { sure: true }),
  withdrawErasure: () => send<void>("DELETE", "/me/erasure"),
  audit: (query: { patient_id?: string; actor_id?: string; action?: string; from?: string; to?: string; cursor?: string }) => get<T.Page<T.AuditRow>>("/audit", query),
  auditCheckpoint: () => get<T.Checkpoint>("/audit/checkpoint"),
  recordAccesses: (query?: { cursor?: string }) => get<T.Page<T.AuditRow>>("/me/record-accesses", query),
  health: () => get<T.Health>("/admin/health"),
};
