import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds the server; the built pages are served by the server itself. */
const server = process.env.BEDSIDE_SERVER ?? "http://127.0.0.1:8080";

/** What background blur loads when it is first used: its worker, the model and the model's programs. */
const BLUR_FILES = [
  "selfie_segmentation_landscape.tflite",
  "tflite-1-0-0.js",
  "tflite-1-0-0.wasm",
  "tflite-simd-1-0-0.js",
  "tflite-simd-1-0-0.wasm",
  "twilio-gaussian-blur-background-processor-pipeline-worker.js",
];

/** Serves those files from the installed package under the fixed names that it asks for. */
function blurFiles(): Plugin {
  const read = (name: string) =>
    readFileSync(fileURLToPath(new URL(`node_modules/@twilio/video-processors/dist/build/${name}`, import.meta.url)));
  return {
    name: "blur-files",
    configureServer: ({ middlewares }) => {
      middlewares.use("/blur", (request, response, next) => {
        const name = (request.url ?? "").slice(1);
        if (!BLUR_FILES.includes(name)) return next();
        if (name.endsWith(".js")) response.setHeader("Content-Type", "text/javascript");
        if (name.endsWith(".wasm")) response.setHeader("Content-Type", "application/wasm");
        response.end(read(name));
      });
    },
    generateBundle() {
      for (const name of BLUR_FILES) this.emitFile({ type: "asset", fileName: `blur/${name}`, source: read(name) });
    },
  };
}

export default defineConfig({
  plugins: [react(), blurFiles()],
  server: {
    proxy: {
      "/api": { target: server },
      "/socket.io": { target: server, ws: true },
    },
  },
  build: {
    // A five-year-old phone must be able to run it.
    target: ["es2021", "chrome95", "firefox95", "safari15.4"],
    // The content security policy allows no data: addresses for fonts and scripts.
    assetsInlineLimit: 0,
    sourcemap: false,
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
  },
});
