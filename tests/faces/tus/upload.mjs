// Uploads a file with the unmodified tus-js-client, as one JSON argument says; prints one JSON line.
import { createRequire } from "node:module";
import { createReadStream, readFileSync, statSync } from "node:fs";
import { PassThrough } from "node:stream";

const asked = JSON.parse(process.argv[2]);
const { Upload } = createRequire(asked.modules)("tus-js-client");
const statuses = [];

// Through a pipe: of a file it would know the length.
const source = asked.stream
  ? createReadStream(asked.file).pipe(new PassThrough())
  : readFileSync(asked.file);
const upload = new Upload(source, {
  endpoint: asked.endpoint,
  uploadUrl: asked.uploadUrl ?? null,
  uploadSize: asked.stream || asked.options.parallelUploads ? null : statSync(asked.file).size,
  headers: { Authorization: `Bearer ${asked.key}` },
  metadata: { filename: "harbour.mp4", filetype: "video/mp4" },
  retryDelays: [0, 100, 200, 400, 800, 1600, 3200],
  ...asked.options,
  onAfterResponse: (request, response) => {
    statuses.push([request.getMethod(), response.getStatus()]);
  },
  onProgress: (sent) => {
    if (asked.stopAfter && sent >= asked.stopAfter && upload.url) {
      console.log(JSON.stringify({ url: upload.url, statuses }));
      process.exit(0); // as if the machine was switched off
    }
  },
  onSuccess: () => console.log(JSON.stringify({ url: upload.url, statuses })),
  onError: (error) => {
    console.log(JSON.stringify({ error: String(error), statuses }));
    process.exitCode = 1;
  },
});
if (asked.terminate) {
  upload.options.onChunkComplete = async () => {
    await upload.abort(true);
    console.log(JSON.stringify({ url: upload.url, statuses }));
  };
}
upload.start();
