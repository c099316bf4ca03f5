import { io, type Socket } from "socket.io-client";
import type { Notice } from "../api/types";

type Credentials = { accessToken: () => Promise<string | null> };

/**
 * Live notices of the signed-in person. Each connection takes a fresh access token; `renew` hands
 * the running connection the newest one, so that it outlives the token it began with.
 */
export class Notifications {
  private socket: Socket;

  constructor(credentials: Credentials, onNotice: (notice: Notice) => void, onConnected?: () => void) {
    this.socket = io("/notifications", {
      transports: ["websocket", "polling"],
      auth: (give) => {
        credentials.accessToken().then(
          (token) => give({ token }),
          () => give({ token: null }),
        );
      },
    });
    this.socket.on("notification", onNotice);
    if (onConnected) this.socket.on("connect", onConnected);
  }

  renew(token: string): void {
    if (this.socket.connected) this.socket.emit("auth.refresh", { token }, () => undefined);
  }

  close(): void {
    this.socket.removeAllListeners();
    this.socket.disconnect();
  }
}
