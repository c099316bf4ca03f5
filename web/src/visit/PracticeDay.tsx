/** Replaced by the live visit. */
export function PracticeDay() {
  return null;
}
