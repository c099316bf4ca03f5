import { useState, type ReactNode } from "react";
import {
  Dialog as AriaDialog, Heading, Menu as AriaMenu, MenuItem as AriaMenuItem, MenuTrigger, Modal, ModalOverlay, Popover, Separator,
} from "react-aria-components";
import { ApiError } from "../api/http";
import { useText } from "../i18n";
import { ActionButton, Button, type ButtonLook } from "./Button";
import { Icon, type IconName } from "./icons";
import { Banner } from "./surfaces";
import { useErrorText } from "./errors";

/** A question or a form above the page. On a phone it comes up from below. */
export function Dialog({
  title, isOpen, onClose, children, wide, role,
}: { title: string; isOpen: boolean; onClose: () => void; children: ReactNode; wide?: boolean; role?: "dialog" | "alertdialog" }) {
  const t = useText();
  return (
    <ModalOverlay className="scrim" isOpen={isOpen} onOpenChange={(open) => !open && onClose()} isDismissable>
      <Modal className={wide ? "dialog-box dialog-box-wide" : "dialog-box"}>
        <AriaDialog className="dialog" role={role}>
          <div className="dialog-head">
            <Heading slot="title" level={2}>
              {title}
            </Heading>
            <Button variant="quiet" icon="close" label={t("common.close")} onPress={onClose} />
          </div>
          {children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

/** Asks before something that cannot be undone, naming what will happen. */
export function Confirm({
  title, isOpen, onClose, children, action, danger, act,
}: { title: string; isOpen: boolean; onClose: () => void; children: ReactNode; action: string; danger?: boolean; act: () => Promise<unknown> }) {
  const t = useText();
  const explain = useErrorText();
  const [failure, setFailure] = useState<ApiError | null>(null);
  return (
    <Dialog title={title} isOpen={isOpen} onClose={onClose} role="alertdialog">
      <div>{children}</div>
      {failure ? <Banner tone="problem">{explain(failure)}</Banner> : null}
      <div className="dialog-actions">
        <Button onPress={onClose}>{t("common.keep")}</Button>
        <ActionButton
          variant={danger ? "danger" : "primary"}
          act={async () => {
            setFailure(null);
            await act();
            onClose();
          }}
          onFailed={(error) => setFailure(error instanceof ApiError ? error : null)}
        >
          {action}
        </ActionButton>
      </div>
    </Dialog>
  );
}

export type MenuAction = { id: string; label: string; icon?: IconName; href?: string; onAction?: () => void; danger?: boolean } | "separator";

/** A button that opens a list of acts or places. */
export function Menu({ trigger, label, actions, look }: { trigger?: ReactNode; label: string; actions: MenuAction[]; look?: ButtonLook }) {
  return (
    <MenuTrigger>
      <Button aria-label={label} variant={look?.variant ?? "quiet"} size={look?.size} label={trigger ? undefined : label} icon={trigger ? undefined : (look?.icon ?? "menu")}>
        {trigger}
      </Button>
      <Popover className="popover">
        <AriaMenu className="options" aria-label={label}>
          {actions.map((action, index) =>
            action === "separator" ? (
              <Separator key={`separator-${index}`} className="option-separator" />
            ) : (
              <AriaMenuItem key={action.id} id={action.id} href={action.href} onAction={action.onAction} textValue={action.label} className="option" data-danger={action.danger || undefined}>
                {action.icon ? <Icon name={action.icon} /> : null}
                {action.label}
              </AriaMenuItem>
            ),
          )}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  );
}

