/** The design system as the visit uses it, and the few shapes only the visit has. */
import type { ReactNode } from "react";
import {
  Avatar as DesignAvatar,
  Banner,
  Button as DesignButton,
  Dialog as DesignDialog,
  Select as DesignSelect,
} from "../design";
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from "react-aria-components";

type Acts = Pick<AriaButtonProps, "onPress" | "isDisabled" | "type" | "aria-label" | "autoFocus">;

/** `secondary` is the design's plain button; `link` sits in a sentence. */
export function Button({
  variant = "primary",
  size = "medium",
  isPending = false,
  children,
  ...acts
}: Acts & {
  variant?: "primary" | "secondary" | "quiet" | "danger" | "link";
  size?: "small" | "medium" | "large";
  isPending?: boolean;
  children: ReactNode;
}) {
  if (variant === "link") {
    return (
      <AriaButton {...acts} className="v-link">
        {children}
      </AriaButton>
    );
  }
  return (
    <DesignButton
      {...acts}
      variant={variant === "secondary" ? "plain" : variant}
      size={size}
      state={isPending ? "busy" : "idle"}
    >
      {children}
    </DesignButton>
  );
}

/** A round control with a sign of the visit's own; its words are its accessible name. */
export function IconButton({
  label,
  tone = "quiet",
  children,
  ...acts
}: Acts & { label: string; tone?: "quiet" | "accent"; children: ReactNode }) {
  return (
    <AriaButton {...acts} aria-label={label} className="v-icon-button" data-tone={tone}>
      {children}
    </AriaButton>
  );
}

export function Select({
  label,
  hideLabel,
  placeholder = "–",
  value,
  options,
  onChange,
}: {
  label: string;
  hideLabel?: boolean;
  /** Stands where nothing is chosen yet. */
  placeholder?: string;
  value: string;
  options: { value: string; label: string }[];
  onChange: (value: string) => void;
}) {
  return (
    <DesignSelect
      label={label}
      hideLabel={hideLabel}
      value={value || null}
      options={options.map((option) => ({ id: option.value, label: option.label }))}
      onChange={onChange}
      placeholder={placeholder}
    />
  );
}

export function Notice({
  tone,
  testId,
  children,
}: {
  tone: "good" | "attention" | "problem" | "plain";
  testId?: string;
  children: ReactNode;
}) {
  return (
    <div data-testid={testId}>
      <Banner tone={tone}>{children}</Banner>
    </div>
  );
}

export function Avatar({ name, large = false }: { name: string; large?: boolean }) {
  return <DesignAvatar name={name} size={large ? "large" : "medium"} />;
}

export function Dialog({
  title,
  open,
  onClose,
  wide = false,
  children,
}: {
  title: string;
  open: boolean;
  onClose: () => void;
  wide?: boolean;
  children: ReactNode;
}) {
  return (
    <DesignDialog title={title} isOpen={open} onClose={onClose} wide={wide}>
      {children}
    </DesignDialog>
  );
}

/** Asks before something is done, and names what will happen. Both ways out are in words. */
export function Confirm({
  title,
  body,
  confirm,
  cancel,
  open,
  onConfirm,
  onClose,
}: {
  title: string;
  body: string;
  confirm: string;
  cancel: string;
  open: boolean;
  onConfirm: () => void;
  onClose: () => void;
}) {
  return (
    <Dialog title={title} open={open} onClose={onClose}>
      <p>{body}</p>
      <div className="dialog-actions">
        <Button variant="secondary" onPress={onClose}>
          {cancel}
        </Button>
        <Button
          variant="danger"
          onPress={() => {
            onClose();
            onConfirm();
          }}
        >
          {confirm}
        </Button>
      </div>
    </Dialog>
  );
}

/** A whole page that says one thing and offers one way on. */
export function Message({
  title,
  children,
  actions,
  testId,
}: {
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
  testId?: string;
}) {
  return (
    <section className="v-message-page" data-testid={testId}>
      <h1>{title}</h1>
      {children}
      {actions && <div className="v-actions v-actions-centre">{actions}</div>}
    </section>
  );
}
