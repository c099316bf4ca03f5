/** The design system: everything a page is made of. */
export { ActionButton, Button, ButtonLink, buttonClass, type ButtonState } from "./Button";
export { Checkbox, Choices, Select, TextField, type Option } from "./fields";
export { Icon, type IconName } from "./icons";
export { Confirm, Dialog, Menu, type MenuAction } from "./overlays";
export {
  Avatar, Badge, Banner, Card, Countdown, EmptyState, ErrorState, Loaded, PageHeader, Skeleton, SkeletonList, Table, Tabs, useMedia, useNow, type Column, type Tone,
} from "./surfaces";
export { ToastProvider, useToast } from "./Toasts";
export { useErrorText } from "./errors";
export { applyTheme, useTheme, type Theme } from "./theme";
