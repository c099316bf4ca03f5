/** The shapes of docs/protocol.md. */

export type Id = string;
export type Time = string;
export type DateOnly = string;

export type Money = { amount_minor: number; currency: string };
/** `enrolling`: the role needs a second factor that is not set up yet. */
export type Role = "patient" | "practitioner" | "desk" | "admin" | "auditor" | "enrolling";
export type User = {
  id: Id; roles: Role[]; role: Role; name: string; email: string; language: string; time_zone: string; email_verified: boolean;
};
export type Profile = User & { phone: string | null; birth_date: DateOnly | null };
export type Patient = {
  id: Id; name: string; birth_date: DateOnly | null; phone: string | null; email: string; language: string; time_zone: string;
};
export type Licence = { number: string; expires_on: string | null; verified: boolean; published: boolean };
export type Person = { id: Id; name: string; email: string; roles: Role[]; created_at: Time; deactivated_at: Time | null; licence: Licence | null };
export type SignedIn = { access_token: string; expires_in: number; user: User };
export type Session = { id: Id; current: boolean; client: string; agent: string; created_at: Time; refreshed_at: Time };
export type Checkpoint = { position: number; digest: string; made_at: Time; signature: string; public_key: string };
export type StaffRole = Exclude<Role, "patient" | "enrolling">;
export type StaffInvitation = {
  id: Id; email: string; name: string; role: StaffRole; state: "open" | "accepted" | "revoked" | "expired"; invited_by: Id; created_at: Time;
  expires_at: Time; accepted_at: Time | null; person_id: Id | null;
};
export type NewStaffInvitation = {
  email: string; name: string; role: StaffRole; language: string;
  practitioner?: {
    title: string; specialties: string[]; languages: string[]; licence_number: string; fee_minor: number; currency: string; location: string;
  };
};
export type Invited = { email: string; name: string; role: StaffRole; language: string; has_account: boolean };
export type Ceremony = { ceremony: string; options: Record<string, unknown> };
export type Answered = { ceremony: string; credential: object };
export type FactorAdded = SignedIn & { recovery_codes: string[] };
export type Passkey = { id: Id; name: string; synced: boolean; created_at: Time; last_used_at: Time | null };
export type Security = { required: boolean; totp: boolean; recovery_codes: number; passkeys: Passkey[]; passkeys_available: boolean };
export type Page<T> = { items: T[]; next_cursor: string | null };

/** `location` is empty unless the rule behind the slot names one. */
export type Slot = { start: Time; end: Time; location?: string };
export type Specialty = { code: string; name: string; providers: number };
export type Provider = {
  id: Id; name: string; title: string; specialties: string[]; languages: string[]; fee: Money; location: string;
  time_zone: string; about: string; licence_verified: boolean; next_slots: Slot[];
  insurers?: string[]; distance_m?: number | null;
};
export type ProviderQuery = {
  specialty?: string; date?: string; language?: string; name?: string; fee_max?: number; currency?: string; insurer?: string;
  lat?: number; lon?: number; within_m?: number; cursor?: string; limit?: number;
};
export type ProviderChoices = { insurers: string[]; currencies: string[] };
export type AppointmentStatus = "booked" | "arrived" | "checked-in" | "fulfilled" | "cancelled" | "noshow" | "entered-in-error";
export type Appointment = {
  id: Id; status: AppointmentStatus; kind: "video" | "drop_in"; practitioner_id: Id; patient_id: Id; practitioner_name: string;
  patient_name: string; specialty: string; start: Time; end: Time; practitioner_time_zone: string; reason: string | null;
  visit_opens_at: Time; visit_closes_at: Time; fee: Money; created_at: Time; version: number;
  location?: string; overlap?: boolean; series_id?: Id | null; free_cancel_until?: Time;
};
export type Hold = { id: Id; practitioner_id: Id; patient_id: Id; start: Time; end: Time; expires_at: Time };
export type Every = "day" | "week" | "two_weeks" | "four_weeks" | "month";
export type SeriesConflict = { date: DateOnly; start: Time | null; code: string };
export type WaitlistEntry = {
  id: Id; patient_id: Id; practitioner_id: Id | null; specialty: string | null; first_day: DateOnly; last_day: DateOnly;
  status: "waiting" | "offered" | "booked" | "left" | "over"; created_at: Time;
  offer: { practitioner_id: Id; practitioner_name: string; start: Time; end: Time; expires_at: Time } | null;
};
export type DropIn = {
  id: Id; patient_id: Id; patient_name: string; specialty: string; status: "waiting" | "taken" | "left" | "over"; created_at: Time;
  position: number | null; appointment_id: Id | null;
};
export type FeedState = { active: boolean; created_at: Time | null; read_at: Time | null };
export type OutsideCalendar = { id: Id; name: string; host: string; created_at: Time; read_at: Time | null; problem: string | null };
export type StatusWord = "completed" | "cancelled" | "rescheduled" | "no_show" | "arrived" | "checked_in";
export type Rule = { weekday: number; start: string; end: string; location?: string };
export type DayChange = { date: DateOnly; closed: boolean; start?: string | null; end?: string | null; location?: string };
export type Schedule = {
  time_zone: string; slot_minutes: number; buffer_before_minutes?: number; buffer_minutes: number; notice_minutes: number; horizon_days: number;
  rules: Rule[]; exceptions: DayChange[]; version: number;
};
export type SchedulePreview = { items: Slot[]; time_zone: string; taken: Slot[] };

export type IceServer = { urls: string[]; username?: string; credential?: string };
export type ProbeToken = { token: string; expires_at: Time; namespace: string; ice_servers: IceServer[]; ice_transport_policy: "all" | "relay" };
export type VisitToken = { token: string; expires_at: Time; namespace: string; ice_servers: IceServer[]; participant_id: Id };
export type ChatMessage = {
  message_id: Id; client_id: string; participant_id: Id; name: string; role: string; audience: "all" | "clinicians";
  text: string | null; file: { file_id: Id; name: string; size: number; content_type: string } | null;
  sent_at: Time; edited_at: Time | null;
};
export type Consultation = {
  id: Id; appointment_id: Id; patient_id: Id; practitioner_id: Id;
  status: "planned" | "in-progress" | "completed" | "cancelled";
  started_at: Time | null; ended_at: Time | null; completed_at: Time | null; summary: string | null; outcome: string | null;
  participants: { name: string; for_name?: string | null; role: string; joined_at: Time; left_at: Time | null }[];
  attendance: { outcome: string | null; evidence: object };
  chat: ChatMessage[]; prescriptions: Prescription[]; invoice: Invoice | null; recordings: object[];
};
export type Notes = { text: string; version: number; saved_at: Time | null };
export type Invitation = { id: Id; url: string; expires_at: Time };
export type ChatFile = { file_id: Id; name: string; size: number; content_type: string };
export type GuestSession = { guest_token: string; expires_at: Time; appointment_id: Id; role: "interpreter" | "guest"; name: string };
export type Interpreter = { person_id: Id; name: string; languages: string[]; on_duty: boolean };
export type Interpreting = { languages: string[]; on_duty: boolean; offers: { id: Id; language: string; expires_at: Time }[] };
export type InvitationInfo = {
  id: Id; role: "interpreter" | "guest"; name: string; created_at: Time; expires_at: Time; redeemed_at: Time | null; revoked_at: Time | null;
  state: "open" | "redeemed" | "revoked" | "expired";
};
export type CheckIn = {
  appointment_id: Id; done: boolean; name: string; birth_date: string | null; country: string | null; place: string | null; callback_phone: string | null;
  confirmed_at: Time | null; licensed_here: boolean | null; emergency_number: string | null; red_flags: { code: string; text: string }[];
  consent: { version: number; language: string; title: string; body: string } | null;
};

export type EntryKind = "visit" | "note" | "diagnosis" | "allergy" | "vital" | "history";
export type RecordEntry = {
  id: Id; kind: EntryKind; recorded_at: Time; author_id: Id; author_name: string; appointment_id: Id | null;
  content: Record<string, unknown>; version: number;
};
export type RecordSummary = { history: string; allergies: string[]; conditions: string[]; medications: string[] };
export type PatientRecord = { patient_id: Id; version: number; summary: RecordSummary; entries: RecordEntry[]; updated_at: Time };
export type Dosage = { text: string; dose: number; unit: string; frequency: number; period: string };
export type Prescription = {
  id: Id; appointment_id: Id; patient_id: Id; practitioner_id: Id; practitioner_name: string; status: "active" | "stopped" | "completed";
  medication: { code: string; display: string }; dosage: Dosage; refills: number; pharmacy_id: Id | null; code: string; issued_at: Time;
};
export type NewPrescription = { medication: { code: string; display: string }; dosage: Dosage; refills: number; pharmacy_id?: Id };
export type Pharmacy = { id: Id; name: string; address: string; lat: number; lon: number; phone: string; hours: string; distance_m: number };

export type InvoiceStatus = "pending" | "due" | "paid" | "partly_refunded" | "refunded" | "void";
export type InvoiceLine = { description: string; amount: Money };
export type Invoice = {
  id: Id; number: string | null; status: InvoiceStatus; appointment_id: Id; patient_id: Id; practitioner_id: Id; practitioner_name: string;
  lines: InvoiceLine[]; total: Money; covered?: Money; paid: Money; refunded: Money; issued_at: Time; due_at: Time | null; version: number;
};
export type Payment = {
  id: Id; invoice_id: Id; status: "created" | "pending" | "authorised" | "succeeded" | "failed" | "expired" | "cancelled";
  gateway: string; amount: Money; redirect_url: string | null; created_at: Time;
};
export type Refund = { id: Id; payment_id: Id; amount: Money; status: "pending" | "succeeded" | "failed"; reason: string; created_at: Time };
export type Claim = {
  id: Id; invoice_id: Id; coverage_id: Id; status: "submitted" | "approved" | "rejected" | "partial"; approved: Money | null; created_at: Time;
};
export type Coverage = { id: Id; patient_id: Id; insurer: string; member_number_last4: string };

export type Notice = { id: Id; kind: string; title: string; body: string; link: string | null; created_at: Time; read_at: Time | null };
export type Delivery = {
  id: Id; channel: string; kind: string; status: string; attempts: number; created_at: Time; last_error: string | null;
};
export type Mail = { id: Id; to: string; subject: string; received_at: Time };
export type MailMessage = Mail & { text: string };
export type AnalyticsSummary = {
  visits_completed: number; no_show_rate: number; revenue: Money[];
  per_day: { date: DateOnly; booked: number; completed: number; no_show: number; revenue_minor: number }[];
  median_wait_s: number | null; as_of: Time;
};
export type AuditRow = {
  id: Id; at: Time; action: string; actor_id: Id; actor_name: string | null; actor_role: string | null; resource: string;
  resource_id: Id | null; patient_id: Id | null; reason: string | null; break_glass: Id | null;
};
export type EmergencyAccess = {
  id: Id; person_id: Id; person_name: string | null; patient_id: Id; patient_name: string | null; reason: string | null;
  opened_at: Time; ends_at: Time; ended_at: Time | null; open: boolean;
};
export type ProxyKind = "parent" | "carer" | "legal";
export type ProxyScope = "book" | "attend" | "read";
export type ProxyState = "to_come" | "in_force" | "ended";
export type ProxyEnd = "patient" | "proxy" | "granter" | "staff" | "until" | "of_age" | "erased";
/** `proxy` acts for `patient`. */
export type Proxy = {
  id: Id; patient_id: Id; patient_name: string; proxy_id: Id; proxy_name: string; kind: ProxyKind; scopes: ProxyScope[]; state: ProxyState;
  how: "added" | "invited" | "recorded"; country: string; since: Time; ends_at: Time | null; verified_at: Time | null; ended_at: Time | null;
  end_reason: ProxyEnd | null; end_note: string | null;
};
export type ProxyInvitation = {
  id: Id; patient_id: Id; patient_name: string; from_name: string; email: string; kind: ProxyKind; scopes: ProxyScope[]; until: Time | null;
  expires_at: Time; to_me: boolean;
};
export type Family = { acts_for: Proxy[]; acted_for_by: Proxy[]; invitations: ProxyInvitation[]; email_verified: boolean };
export type ConsentKind = "telehealth" | "recording" | "research";
export type ConsentText = { kind: ConsentKind; version: number; language: string; title: string; body: string };
export type Consent = { id: Id; kind: ConsentKind; given: boolean; stands: boolean; version: number; language: string; said_at: Time };
export type Export = {
  id: Id; state: "waiting" | "ready" | "downloaded" | "expired" | "failed"; requested_at: Time; ready_at: Time | null; expires_at: Time | null; size: number | null;
};
export type Kept = { kind: "records" | "invoices"; number: number; until: Time; why: string };
export type Erasure = { id: Id; state: "requested" | "confirmed" | "withdrawn" | "kept" | "done"; requested_at: Time; due_at: Time | null; kept: Kept[] };
export type Health = {
  checks: { name: string; status: "ok" | "failed"; detail: string | null }[];
  workers: Record<string, unknown>[]; calls: number; waiting: number;
};
export type Demo = { accounts: { role: Role; name: string; email: string; password: string }[] };
