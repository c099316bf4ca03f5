import type { ReactNode } from "react";
import {
  Button, Checkbox as AriaCheckbox, FieldError, Input, Label, ListBox, ListBoxItem, Popover, Radio, RadioGroup, Select as AriaSelect, SelectValue,
  Text, TextArea, TextField as AriaTextField,
} from "react-aria-components";
import { Icon } from "./icons";

type FieldProps = {
  label: string;
  hint?: ReactNode;
  /** What is wrong and what to do; shown and read out with the field. */
  error?: string;
  isRequired?: boolean;
  isDisabled?: boolean;
  name?: string;
};

type TextFieldProps = FieldProps & {
  value: string;
  onChange: (value: string) => void;
  type?: "text" | "email" | "password" | "search" | "tel" | "date" | "time" | "number" | "datetime-local" | "url";
  autoComplete?: string;
  inputMode?: "text" | "email" | "numeric" | "decimal" | "tel";
  placeholder?: string;
  maxLength?: number;
  multiline?: boolean;
  rows?: number;
  min?: string;
  max?: string;
  autoFocus?: boolean;
  isReadOnly?: boolean;
  /** The label is for screen readers alone; something visible must say the same. */
  hideLabel?: boolean;
};

export function TextField({ label, hint, error, value, onChange, multiline, rows, placeholder, hideLabel, min, max, ...rest }: TextFieldProps) {
  return (
    <AriaTextField {...rest} value={value} onChange={onChange} isInvalid={error !== undefined} validationBehavior="aria" className="field">
      <Label className={hideLabel ? "visually-hidden" : "field-label"}>{label}</Label>
      {hint ? (
        <Text slot="description" className="field-hint">
          {hint}
        </Text>
      ) : null}
      {multiline ? <TextArea className="input" rows={rows} placeholder={placeholder} /> : <Input className="input" placeholder={placeholder} min={min} max={max} />}
      <FieldError className="field-error">{error}</FieldError>
    </AriaTextField>
  );
}

export type Option<K extends string> = { id: K; label: string };

export function Select<K extends string>({
  label, hint, error, options, value, onChange, placeholder, hideLabel, ...rest
}: FieldProps & { options: Option<K>[]; value: K | null; onChange: (value: K) => void; placeholder?: string; hideLabel?: boolean }) {
  return (
    <AriaSelect
      {...rest}
      value={value}
      onChange={(key) => {
        if (key !== null) onChange(key as K);
      }}
      isInvalid={error !== undefined}
      validationBehavior="aria"
      placeholder={placeholder}
      className="field"
    >
      <Label className={hideLabel ? "visually-hidden" : "field-label"}>{label}</Label>
      {hint ? (
        <Text slot="description" className="field-hint">
          {hint}
        </Text>
      ) : null}
      <Button className="select-button">
        <SelectValue />
        <Icon name="chevron" size={18} />
      </Button>
      <FieldError className="field-error">{error}</FieldError>
      <Popover className="popover">
        <ListBox className="options" items={options}>
          {(option) => (
            <ListBoxItem id={option.id} textValue={option.label} className="option">
              {option.label}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

export function Checkbox({ children, isSelected, onChange, isDisabled }: { children: ReactNode; isSelected: boolean; onChange: (on: boolean) => void; isDisabled?: boolean }) {
  return (
    <AriaCheckbox className="check" isSelected={isSelected} onChange={onChange} isDisabled={isDisabled}>
      <span className="check-box">
        <Icon name="check" size={16} />
      </span>
      <span>{children}</span>
    </AriaCheckbox>
  );
}

/** One of a few, all visible. */
export function Choices<K extends string>({ label, options, value, onChange, hideLabel }: { label: string; options: Option<K>[]; value: K | null; onChange: (value: K) => void; hideLabel?: boolean }) {
  return (
    <RadioGroup className="field" value={value} onChange={(key) => onChange(key as K)} orientation="horizontal">
      <Label className={hideLabel ? "visually-hidden" : "field-label"}>{label}</Label>
      <div className="choices">
        {options.map((option) => (
          <Radio key={option.id} value={option.id} className="choice">
            {option.label}
          </Radio>
        ))}
      </div>
    </RadioGroup>
  );
}
