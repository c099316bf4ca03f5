import type { ProxyScope } from "../api/types";
import { Checkbox } from "../design";
import { useFamilyText } from "./text";
import "./family.css";

export const scopes: ProxyScope[] = ["book", "attend", "read"];

/** What somebody may do for another. */
export function ScopeChoices({ value, onChange }: { value: ProxyScope[]; onChange: (scopes: ProxyScope[]) => void }) {
  const t = useFamilyText();
  return (
    <fieldset className="scope-choices">
      <legend className="field-label">{t("scopes")}</legend>
      {scopes.map((scope) => (
        <Checkbox key={scope} isSelected={value.includes(scope)} onChange={(on) => onChange(scopes.filter((each) => (each === scope ? on : value.includes(each))))}>
          <span className="strong">{t(`scope.${scope}`)}</span>
          <span className="muted small scope-text">{t(`scope.${scope}.text`)}</span>
        </Checkbox>
      ))}
    </fieldset>
  );
}
