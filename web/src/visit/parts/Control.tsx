import { Icon, type IconName } from "./icons";

/** One round control of the call: a sign, its words below, its whole meaning as its name. */
export function Control({
  icon,
  label,
  words = label,
  off = false,
  active = false,
  danger = false,
  desktop = false,
  disabled = false,
  badge = 0,
  onPress,
}: {
  icon: IconName;
  label: string;
  /** What is written under the sign, when the name says more. */
  words?: string;
  off?: boolean;
  active?: boolean;
  danger?: boolean;
  desktop?: boolean;
  disabled?: boolean;
  badge?: number;
  onPress: () => void;
}) {
  return (
    <button
      type="button"
      className="v-control"
      data-off={off || undefined}
      data-active={active || undefined}
      data-danger={danger || undefined}
      data-desktop={desktop || undefined}
      disabled={disabled}
      aria-label={label}
      title={label}
      onClick={onPress}
    >
      <span className="v-control-sign">
        <Icon name={icon} />
        {badge > 0 && <span className="v-badge">{badge > 9 ? "9+" : badge}</span>}
      </span>
      <span className="v-control-words" aria-hidden="true">
        {words}
      </span>
    </button>
  );
}
