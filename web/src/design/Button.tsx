import { useEffect, useRef, useState, type ReactNode } from "react";
import { Button as AriaButton, Link as AriaLink, type ButtonProps as AriaProps } from "react-aria-components";
import { useText } from "../i18n";
import { Icon, type IconName } from "./icons";

export type ButtonState = "idle" | "busy" | "done" | "failed";
export type ButtonLook = {
  variant?: "plain" | "primary" | "soft" | "quiet" | "danger" | "danger-quiet";
  size?: "small" | "medium" | "large";
  wide?: boolean;
  icon?: IconName;
  /** For a button of an icon alone: what it does, in words. */
  label?: string;
};
type Props = ButtonLook & Omit<AriaProps, "children" | "className" | "style"> & { state?: ButtonState; children?: ReactNode };

export function buttonClass({ variant = "plain", size = "medium", wide, label }: ButtonLook, state: ButtonState = "idle"): string {
  return [
    "button",
    `button-${variant}`,
    size !== "medium" && `button-${size}`,
    wide && "button-wide",
    label && "button-icon",
    state === "failed" && "button-failed",
  ]
    .filter(Boolean)
    .join(" ");
}

/** A button that shows its states: pressed, busy, done and failed. A busy one keeps focus and ignores presses. */
export function Button({ variant, size, wide, icon, label, state = "idle", children, ...rest }: Props) {
  const t = useText();
  const mark = state === "busy" ? <span className="spinner" aria-hidden="true" /> : null;
  const shown = state === "done" ? "check" : state === "failed" ? "alert" : icon;
  return (
    <AriaButton {...rest} isPending={state === "busy"} aria-label={label ?? rest["aria-label"]} className={buttonClass({ variant, size, wide, label }, state)}>
      {mark ?? (shown ? <Icon name={shown} size={size === "small" ? 18 : 20} /> : null)}
      {children}
      {state === "busy" ? <span className="visually-hidden">{t("common.busy")}</span> : null}
    </AriaButton>
  );
}

/** A button that runs something and goes through busy, then done or failed, by itself. Failures go to `onFailed`. */
export function ActionButton({ act, onFailed, ...rest }: Omit<Props, "state" | "onPress"> & { act: () => Promise<unknown>; onFailed?: (error: unknown) => void }) {
  const [state, setState] = useState<ButtonState>("idle");
  const timer = useRef<number>(undefined);
  const mounted = useRef(true);
  useEffect(() => {
    mounted.current = true;
    return () => {
      mounted.current = false;
      window.clearTimeout(timer.current);
    };
  }, []);
  const run = async () => {
    window.clearTimeout(timer.current);
    setState("busy");
    let next: ButtonState = "done";
    try {
      await act();
    } catch (error) {
      next = "failed";
      onFailed?.(error);
    }
    if (!mounted.current) return;
    setState(next);
    timer.current = window.setTimeout(() => setState("idle"), 2000);
  };
  return <Button {...rest} state={state} onPress={() => void run()} />;
}

/** Goes somewhere, looks like a button. */
export function ButtonLink({ href, variant, size, wide, icon, label, children, target, onPress }: ButtonLook & { href: string; children?: ReactNode; target?: string; onPress?: () => void }) {
  return (
    <AriaLink href={href} target={target} onPress={onPress} aria-label={label} className={buttonClass({ variant, size, wide, label })}>
      {icon ? <Icon name={icon} size={size === "small" ? 18 : 20} /> : null}
      {children}
    </AriaLink>
  );
}
