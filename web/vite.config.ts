import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds the server; the built pages are served by the server itself. */
const server = process.env.BEDSIDE_SERVER ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
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
