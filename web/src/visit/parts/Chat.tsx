import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { Button, IconButton, Select } from "../base";
import type { Audience, LiveChatMessage } from "../live/protocol";
import type { VisitSession } from "../live/session";
import { receiptOf, type PendingMessage, type VisitState } from "../live/state";
import type { VisitText } from "../text";
import { Icon } from "./icons";

export interface FileAccess {
  upload: (file: File) => Promise<NonNullable<LiveChatMessage["file"]>>;
  load: (fileId: string) => Promise<Blob>;
  /** Saves the file on this device. */
  open: (fileId: string, name: string) => void;
}

/** The visit's chat. `clinician` people choose for each message who may read it. */
export function Chat({
  session,
  visit,
  text,
  clinician,
  files,
  onClose,
}: {
  session: VisitSession;
  visit: VisitState;
  text: VisitText;
  clinician: boolean;
  files?: FileAccess | undefined;
  onClose?: (() => void) | undefined;
}) {
  const list = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const atEnd = useRef(true);
  const [draft, setDraft] = useState("");
  const [audience, setAudience] = useState<Audience>("all");
  const [uploading, setUploading] = useState<{ name: string; failed: boolean } | null>(null);
  const count = visit.messages.length + visit.pending.length;
  const lastOwn = visit.messages
    .map((message) => message.participant_id === visit.you.participant_id)
    .lastIndexOf(true);
  const oldest = visit.messages[0]?.message_id;

  useEffect(() => session.readChat(), [session, visit.messages.length]);
  useLayoutEffect(() => {
    const element = list.current;
    if (element && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [count]);
  // Older messages come in above; what was being read stays where it was.
  const height = useRef(0);
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    if (!atEnd.current) element.scrollTop += element.scrollHeight - height.current;
    height.current = element.scrollHeight;
  }, [oldest]);
  useLayoutEffect(() => {
    height.current = list.current?.scrollHeight ?? 0;
  }, [count]);

  function send() {
    const words = draft.trim();
    if (!words) return;
    setDraft("");
    atEnd.current = true;
    void session.sendChat(words, audience);
    input.current?.focus();
  }

  async function sendFile(file: File | undefined) {
    if (!file || !files) return;
    setUploading({ name: file.name, failed: false });
    try {
      const stored = await files.upload(file);
      setUploading(null);
      await session.sendChat(null, audience, stored);
    } catch {
      setUploading({ name: file.name, failed: true });
    }
  }

  return (
    <section className="v-chat" aria-label={text("chat.title")} data-testid="chat">
      <header className="v-panel-head">
        <h2>{text("chat.title")}</h2>
        {onClose && (
          <IconButton label={text("visit.close")} onPress={onClose}>
            <Icon name="close" />
          </IconButton>
        )}
      </header>
      <div
        className="v-chat-list"
        ref={list}
        role="log"
        aria-label={text("chat.title")}
        tabIndex={0}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          atEnd.current = scrollHeight - scrollTop - clientHeight < 48;
        }}
      >
        {visit.moreHistory && (
          <Button variant="link" onPress={() => void session.loadHistory().catch(() => undefined)}>
            {text("chat.older")}
          </Button>
        )}
        {count === 0 && <p className="v-chat-empty">{text("chat.empty")}</p>}
        {visit.messages.map((message, index) => (
          <Message
            key={message.message_id}
            message={message}
            own={message.participant_id === visit.you.participant_id}
            follows={visit.messages[index - 1]?.participant_id === message.participant_id}
            text={text}
            files={files}
            receipt={index === lastOwn ? receiptOf(message, visit.marks) : null}
          />
        ))}
        {visit.pending.map((message) => (
          <Pending key={message.client_id} message={message} session={session} text={text} />
        ))}
      </div>
      {uploading && (
        <p className={uploading.failed ? "v-problem" : "v-soft"} role="status">
          {text(uploading.failed ? "chat.uploadFailed" : "chat.uploading", {
            name: uploading.name,
          })}
        </p>
      )}
      <form
        className="v-chat-form"
        data-private={audience === "clinicians" || undefined}
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        {clinician && (
          <Select
            label={text("chat.to")}
            hideLabel
            value={audience}
            options={[
              { value: "all", label: text("chat.to.all") },
              { value: "clinicians", label: text("chat.to.clinicians") },
            ]}
            onChange={(value) => setAudience(value as Audience)}
          />
        )}
        <div className="v-chat-row">
          {files && (
            <>
              <input
                ref={picker}
                className="v-hidden"
                type="file"
                tabIndex={-1}
                aria-hidden="true"
                accept="image/jpeg,image/png,application/pdf"
                onChange={({ currentTarget }) => {
                  void sendFile(currentTarget.files?.[0]);
                  currentTarget.value = "";
                }}
              />
              <IconButton label={text("chat.attach")} onPress={() => picker.current?.click()}>
                <Icon name="clip" />
              </IconButton>
            </>
          )}
          <textarea
            ref={input}
            rows={1}
            maxLength={4000}
            value={draft}
            aria-label={text("chat.write")}
            placeholder={text("chat.write")}
            onChange={(event) => setDraft(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
              event.preventDefault();
              send();
            }}
          />
          <IconButton label={text("chat.send")} type="submit" tone="accent">
            <Icon name="send" />
          </IconButton>
        </div>
      </form>
    </section>
  );
}

function Message({
  message,
  own,
  follows,
  text,
  files,
  receipt,
}: {
  message: LiveChatMessage;
  own: boolean;
  follows: boolean;
  text: VisitText;
  files: FileAccess | undefined;
  /** How far it has got; only the newest of one's own messages says so. */
  receipt: "sent" | "delivered" | "read" | null;
}) {
  const { file } = message;
  return (
    <article className="v-message" data-own={own || undefined} data-follows={follows || undefined}>
      <p className="v-message-who">
        <strong>{own ? text("visit.you") : message.name}</strong>
        <time dateTime={message.sent_at}>{text.time(message.sent_at)}</time>
        {message.edited_at && <span>{text("chat.edited")}</span>}
        {message.audience === "clinicians" && (
          <span className="v-tag">{text("chat.private")}</span>
        )}
      </p>
      {message.text && <p className="v-bubble">{message.text}</p>}
      {file && <Attachment file={file} files={files} />}
      {receipt && receipt !== "sent" && (
        <p className="v-receipt" data-receipt={receipt}>
          {text(`chat.receipt.${receipt}`)}
        </p>
      )}
    </article>
  );
}

/** A picture is shown small, anything else by its name; a press saves either. */
function Attachment({ file, files }: { file: NonNullable<LiveChatMessage["file"]>; files: FileAccess | undefined }) {
  const [address, setAddress] = useState<string | null>(null);
  const picture = file.content_type.startsWith("image/");
  useEffect(() => {
    if (!picture || !files) return undefined;
    let made: string | null = null;
    let gone = false;
    void files
      .load(file.file_id)
      .then((blob) => {
        if (gone) return;
        made = URL.createObjectURL(blob);
        setAddress(made);
      })
      // Without its picture the name is still there to press.
      .catch(() => undefined);
    return () => {
      gone = true;
      if (made) URL.revokeObjectURL(made);
    };
    // The way to the files is the same for the life of the page; only another file is news.
  }, [file.file_id, picture]);
  return (
    <button
      className="v-bubble v-file"
      type="button"
      data-picture={address ? true : undefined}
      onClick={() => files?.open(file.file_id, file.name)}
    >
      {address ? (
        <img src={address} alt={file.name} />
      ) : (
        <>
          <Icon name="clip" size={18} /> {file.name}
        </>
      )}
    </button>
  );
}

function Pending({
  message,
  session,
  text,
}: {
  message: PendingMessage;
  session: VisitSession;
  text: VisitText;
}) {
  const failed = message.state === "failed";
  return (
    <article className="v-message" data-own data-pending={!failed || undefined}>
      <p className="v-bubble">{message.text ?? message.file?.name}</p>
      <p className={failed ? "v-problem" : "v-soft"}>
        {text(failed ? "chat.failed" : "chat.sending")}{" "}
        {failed && (
          <>
            <Button variant="link" onPress={() => session.retryChat(message.client_id)}>
              {text("chat.retry")}
            </Button>{" "}
            <Button variant="link" onPress={() => session.discardChat(message.client_id)}>
              {text("chat.discard")}
            </Button>
          </>
        )}
      </p>
    </article>
  );
}
