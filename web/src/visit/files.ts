import { api } from "../api/client";
import type { ChatFile } from "../api/types";
import type { FileAccess } from "./parts/Chat";

/** How long a file's temporary address is kept for the browser to start saving it. */
const KEEP_ADDRESS_MS = 60_000;

/** Files of a visit's chat: uploaded before the message that names them, opened on a press. */
export function visitFiles(visitId: string): FileAccess {
  return access(
    (file) => api.upload(visitId, file),
    (fileId) => api.file(visitId, fileId),
  );
}

/** The same for somebody who came by invitation. */
export function guestFiles(guestToken: string): FileAccess {
  return access(
    (file) => api.guestUpload(guestToken, file),
    (fileId) => api.guestFile(guestToken, fileId),
  );
}

function access(upload: (file: File) => Promise<ChatFile>, load: (fileId: string) => Promise<Blob>): FileAccess {
  return {
    upload,
    load,
    open: (fileId, name) => {
      void load(fileId)
        .then((blob) => {
          const address = URL.createObjectURL(blob);
          const link = document.createElement("a");
          link.href = address;
          link.download = name;
          link.click();
          window.setTimeout(() => URL.revokeObjectURL(address), KEEP_ADDRESS_MS);
        })
        .catch(() => undefined);
    },
  };
}
