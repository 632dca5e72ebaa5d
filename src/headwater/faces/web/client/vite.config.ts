import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Write a .br and a .gz beside every built file once, so that the server never compresses. */
function compress(): Plugin {
  let folder = "";
  return {
    name: "headwater-compress",
    apply: "build",
    configResolved(config) {
      folder = config.build.outDir;
    },
    closeBundle() {
      const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
      for (const file of files.filter((name) => /\.(js|css|svg)$/.test(name))) {
        const body = readFileSync(join(folder, file));
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
        writeFileSync(join(folder, `${file}.br`), brotliCompressSync(body, { params }));
        writeFileSync(join(folder, `${file}.gz`), gzipSync(body, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  base: "/static/built/",
  publicDir: false,
  plugins: [compress()],
  build: {
    outDir: join(import.meta.dirname, "..", "static", "built"),
    emptyOutDir: true,
    manifest: "manifest.json",
    target: "es2022",
    assetsInlineLimit: 0, // the content security policy allows no data: scripts or styles
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    rollupOptions: {
      input: {
        style: "styles/main.css",
        home: "pages/home.ts",
        watch: "pages/watch.ts",
        upload: "pages/upload.ts",
        studio: "pages/studio.ts",
      },
    },
  },
});
