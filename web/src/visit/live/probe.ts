/**
 * The network test before a visit: a picture of noise is sent to the media server, which returns
 * it to us alone. What comes back says how much the network carries both ways.
 */
import { io, type Socket } from "socket.io-client";
import { judge, read, type Measured, type Verdict } from "./probeVerdict";

export interface ProbeAccess {
  token: string;
  namespace: string;
  ice_servers: RTCIceServer[];
  ice_transport_policy: RTCIceTransportPolicy;
}

export type Way = "udp" | "tcp" | "relay";

/** `absent`: this installation does not have that way. */
export type WayResult = { way: Way } & (
  | ({ state: "measured" } & Measured & Verdict)
  | { state: "unreachable" }
  | { state: "absent" }
);

/** Together at most 12 s for three ways; one that this installation does not have answers at once. */
const CONNECT_MS = 2_500;
const WARM_UP_MS = 1_000;
const MEASURE_MS = 1_900;
const ANSWER_MS = 4_000;
/** Below what the server returns, so that its limit is not taken for loss. */
const BITRATE = 2_200_000;
const FRAMES_PER_S = 24;

const UNREACHABLE: Measured = { upKbps: 0, downKbps: 0, loss: 1, roundTripMs: 0, jitterMs: 0 };

/** Tests one way after the other; `told` hears of each. Aborted, it ends at once: what comes next needs the network. */
export async function probe(
  fetchAccess: () => Promise<ProbeAccess>,
  told: (result: WayResult) => void,
  signal: AbortSignal,
): Promise<void> {
  const access = await fetchAccess();
  const socket = io(access.namespace, {
    path: "/socket.io",
    auth: { token: access.token },
    forceNew: true,
    reconnection: false,
    transports: ["websocket", "polling"],
    tryAllTransports: true,
  });
  const aborted = new Promise<"aborted">((resolve) =>
    signal.addEventListener("abort", () => resolve("aborted"), { once: true }),
  );
  try {
    const ways: Way[] =
      access.ice_transport_policy === "relay" ? ["relay"] : ["udp", "tcp", "relay"];
    for (const way of ways) {
      if (signal.aborted) return;
      const result = await test(socket, way, access.ice_servers, aborted);
      if (result === "aborted") return;
      told(result);
    }
  } finally {
    socket.disconnect();
  }
}

async function test(
  socket: Socket,
  way: Way,
  iceServers: RTCIceServer[],
  aborted: Promise<"aborted">,
): Promise<WayResult | "aborted"> {
  const noise = makeNoise();
  const pc = new RTCPeerConnection({
    bundlePolicy: "max-bundle",
    iceServers: way === "relay" ? iceServers : [],
    iceTransportPolicy: way === "relay" ? "relay" : "all",
  });
  pc.addTransceiver(noise.track, {
    direction: "sendrecv",
    sendEncodings: [{ maxBitrate: BITRATE }],
  });
  const measured = measureWay(socket, way, pc);
  // Once aborted, what a closed connection still throws is nobody's concern.
  measured.catch(() => undefined);
  try {
    return await Promise.race([measured, aborted]);
  } finally {
    pc.close();
    noise.stop();
  }
}

async function measureWay(socket: Socket, way: Way, pc: RTCPeerConnection): Promise<WayResult> {
  await pc.setLocalDescription(await pc.createOffer());
  const started = (await ask(socket, "probe.start", {
    transport: way,
    sdp: pc.localDescription?.sdp,
  })) as { ok: boolean; sdp: string; probe_id: string; error?: { code: string } };
  if (!started.ok) {
    if (started.error?.code === "not_available") return { way, state: "absent" };
    throw new Error(started.error?.code ?? "unavailable");
  }
  await pc.setRemoteDescription({ type: "answer", sdp: started.sdp });
  const connected = await becomesConnected(pc);
  const measured = connected ? await measure(pc) : UNREACHABLE;
  const verdict: Verdict = connected
    ? judge(measured)
    : { verdict: "poor", reason: "unreachable" };
  await ask(socket, "probe.result", {
    probe_id: started.probe_id,
    verdict: verdict.verdict,
    reason: verdict.reason,
    throughput_up_kbps: measured.upKbps,
    throughput_down_kbps: measured.downKbps,
    loss: measured.loss,
    round_trip_ms: measured.roundTripMs,
    jitter_ms: measured.jitterMs,
  });
  return connected ? { way, state: "measured", ...measured, ...verdict } : { way, state: "unreachable" };
}

async function ask(socket: Socket, event: string, payload: object): Promise<unknown> {
  return (await socket.timeout(ANSWER_MS).emitWithAck(event, payload)) as unknown;
}

function becomesConnected(pc: RTCPeerConnection): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (connected: boolean) => {
      window.clearTimeout(timer);
      pc.onconnectionstatechange = null;
      resolve(connected);
    };
    const timer = window.setTimeout(() => done(false), CONNECT_MS);
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === "connected") done(true);
      if (pc.connectionState === "failed") done(false);
    };
  });
}

async function measure(pc: RTCPeerConnection): Promise<Measured> {
  await pause(WARM_UP_MS);
  const before = [...(await pc.getStats()).values()];
  await pause(MEASURE_MS);
  const after = [...(await pc.getStats()).values()];
  return read(before, after);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => window.setTimeout(resolve, ms));
}

/** A moving picture that can't be compressed. */
function makeNoise(): { track: MediaStreamTrack; stop: () => void } {
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 360;
  const context = canvas.getContext("2d", { alpha: false });
  const image = context?.createImageData(canvas.width, canvas.height);
  const draw = () => {
    if (!context || !image) return;
    const pixels = new Uint32Array(image.data.buffer);
    let seed = (Math.random() * 0xffffffff) >>> 0 || 1;
    for (let index = 0; index < pixels.length; index += 1) {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      pixels[index] = 0xff000000 | seed;
    }
    context.putImageData(image, 0, 0);
  };
  draw();
  const timer = window.setInterval(draw, 1000 / FRAMES_PER_S);
  const track = canvas.captureStream(FRAMES_PER_S).getVideoTracks()[0];
  if (!track) throw new Error("this browser can't send a canvas");
  return {
    track,
    stop: () => {
      window.clearInterval(timer);
      track.stop();
    },
  };
}
