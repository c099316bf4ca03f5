import { useCallback } from "react";
import { ApiError } from "../api/http";
import { useText, type Key } from "../i18n";

const known: Record<string, Key> = {
  offline: "error.offline",
  internal: "error.internal",
  unavailable: "error.unavailable",
  forbidden: "error.forbidden",
  not_found: "error.notFound",
  not_signed_in: "error.signIn",
  invalid_token: "error.signIn",
  too_many_requests: "error.tooMany",
  invalid_credentials: "error.credentials",
  second_factor_required: "error.secondFactor",
  wrong_code: "error.wrongCode",
  passkey_refused: "error.passkey",
  slot_taken: "error.slotTaken",
  slot_not_offered: "error.slotNotOffered",
  too_many_holds: "error.tooManyHolds",
  series_conflict: "error.seriesConflict",
  already_waiting: "error.alreadyWaiting",
  offer_gone: "error.offerGone",
  too_many_calendars: "error.tooManyCalendars",
  version_conflict: "error.conflict",
  invalid_transition: "error.transition",
  no_care_relation: "error.noCareRelation",
  visit_not_open: "error.visitNotOpen",
  invoice_not_payable: "error.notPayable",
  refund_exceeds_payment: "error.refundTooMuch",
  invitation_gone: "error.invitationGone",
};

/** What a failure means, in the reader's words; the server's own sentence when the code is not known here. */
export function useErrorText(): (error: unknown) => string {
  const t = useText();
  return useCallback(
    (error) => {
      if (!(error instanceof ApiError)) return t("error.internal");
      const key = known[error.code];
      if (key) return t(key);
      if (error.errors.length > 0) return error.errors.map((each) => each.message).join(" ");
      return error.status >= 500 ? t("error.internal") : error.detail;
    },
    [t],
  );
}
