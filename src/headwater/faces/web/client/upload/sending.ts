/** One file on its way to being a video: sent over tus, then followed until it is ready. */
import { type DetailedError, Upload } from "tus-js-client";
import { upload as texts } from "../../texts/en.json";
import { ApiError, type News, ask, mayPass, videoPath } from "../shared/api";
import { say } from "../shared/texts";
import { directStack } from "./direct";
import { Pace } from "./pace";
import { type UploadRecord, dropRecord, keepRecord } from "./records";

export type Stage =
  | "waiting"
  | "sending"
  | "paused"
  | "retrying"
  | "later"
  | "unfinished"
  | "gone"
  | "refused"
  | "processing"
  | "playable"
  | "ready"
  | "failed";

const ENDPOINT = "/api/v1/uploads/";
const CHUNK_BYTES = 64 * 1024 * 1024; // one acknowledged step; proxies often take no more at once
const LATER_S = 30; // where the server does not say when to come back
const RETRY_MS = [0, 1000, 2000, 4000, 8000, 15_000, 30_000, 30_000, 60_000, 60_000];

export class Sending extends EventTarget {
  stage: Stage = "waiting";
  sent = 0;
  made = 0;
  /** How long the rest of the making may take, null where nobody knows. */
  readyIn: number | null = null;
  video = "";
  path = "";
  problem = "";
  /** Trying to make it again can help. */
  mayPass = false;
  poster = "";
  title: string;
  visibility = "public";
  titleState: "" | "saved" | "not_saved" = "";
  readonly pace = new Pace();
  private upload: Upload | null = null;
  private savedTitle = "";
  /** When the server, which is busy with others, is asked again (performance.now()). */
  againAt = 0;
  private againTimer = 0;
  private ended = false;

  constructor(
    public file: File | null,
    readonly name: string,
    readonly size: number,
    private readonly lastModified: number,
  ) {
    super();
    this.title = titleOf(name);
  }

  static ofFile(file: File): Sending {
    return new Sending(file, file.name, file.size, file.lastModified);
  }

  /** Take up what an earlier page left; without its file it waits for somebody to choose that again. */
  static ofRecord(record: UploadRecord): Sending {
    const sending = new Sending(null, record.name, record.size, record.lastModified);
    Object.assign(sending, { path: record.path, video: record.video, sent: record.sent });
    Object.assign(sending, { title: record.title, visibility: record.visibility, savedTitle: record.title });
    sending.stage = record.complete ? "processing" : "unfinished";
    return sending;
  }

  get losesBytes(): boolean {
    return ["waiting", "sending", "retrying", "later"].includes(this.stage);
  }

  get isSent(): boolean {
    return ["processing", "playable", "ready", "failed"].includes(this.stage);
  }

  start(): void {
    if (!this.file || this.stage !== "waiting") return;
    this.upload ??= this.open(this.file);
    this.pace.restart(this.sent, performance.now());
    this.become("sending");
    this.upload.start();
  }

  /** Ask again when the server said; somebody who has other files sends those meanwhile. */
  private comeBack(seconds: number): void {
    this.againAt = performance.now() + seconds * 1000;
    this.againTimer = window.setTimeout(() => this.become("waiting"), seconds * 1000);
    this.become("later");
  }

  /** The line is back: do not wait for the next attempt. */
  async hurry(): Promise<void> {
    if (this.stage !== "retrying") return;
    await this.upload?.abort();
    this.stage = "waiting";
    this.start();
  }

  /** Go on with an upload of an earlier page, now that its file is here again. */
  continueWith(file: File): void {
    this.file = file;
    this.become("waiting");
  }

  async pause(): Promise<void> {
    clearTimeout(this.againTimer);
    this.become("paused");
    await this.upload?.abort();
  }

  /** Stop and, unless every byte has arrived, have the server forget what it received. */
  async discard(): Promise<void> {
    this.ended = true;
    clearTimeout(this.againTimer);
    if (!this.isSent && this.path) {
      await this.upload?.abort().catch(() => {});
      await Upload.terminate(new URL(this.path, location.href).href, { retryDelays: [0, 1000] }).catch(() => {});
    }
    dropRecord(this.path);
  }

  private open(file: File): Upload {
    const httpStack = directStack();
    return new Upload(file, {
      ...(httpStack && { httpStack }),
      endpoint: ENDPOINT,
      ...(this.path && { uploadUrl: new URL(this.path, location.href).href }),
      metadata: { filename: file.name, filetype: file.type, title: this.title, visibility: this.visibility },
      chunkSize: CHUNK_BYTES,
      retryDelays: RETRY_MS,
      storeFingerprintForResuming: false, // records.ts remembers more than a fingerprint
      onUploadUrlAvailable: () => this.onAddress(),
      onAfterResponse: (_, response) => this.onVideo(response.getHeader("Headwater-Video")),
      onProgress: (sent) => this.onProgress(sent),
      onShouldRetry: (error) => this.shouldRetry(error),
      onError: (error) => this.onError(error as DetailedError),
      onSuccess: () => this.onSuccess(),
    });
  }

  private onAddress(): void {
    const url = new URL(this.upload!.url!, location.href);
    this.upload!.url = new URL(url.pathname, location.href).href; // our own origin, whatever the server calls itself
    if (this.path !== url.pathname) dropRecord(this.path);
    this.path = url.pathname;
    this.keep();
  }

  private onVideo(id: string | undefined): void {
    if (!id || id === this.video) return;
    this.video = id;
    this.savedTitle = String(this.upload?.options.metadata?.title ?? this.title);
    this.keep();
    this.tell();
    if (this.savedTitle !== this.title) void this.saveTitle();
  }

  private onProgress(sent: number): void {
    this.sent = sent;
    this.pace.add(sent, performance.now());
    if (this.stage === "retrying") this.stage = "sending";
    this.keepNowAndThen();
    this.tell();
  }

  private keptAt = 0;

  private keepNowAndThen(): void {
    const now = performance.now();
    if (now - this.keptAt < 1000) return;
    this.keptAt = now;
    this.keep();
  }

  private shouldRetry(error: DetailedError): boolean {
    const status = error.originalResponse?.getStatus() ?? 0;
    if (laterSeconds(error) !== null) return false; // not at our own pace but at the server's
    const again = status === 0 || status === 409 || status === 423 || status === 429 || status >= 500;
    if (again && this.stage === "sending") this.become("retrying");
    return again && status !== 507;
  }

  private onError(error: DetailedError): void {
    if (this.ended) return;
    const status = error.originalResponse?.getStatus() ?? 0;
    if (status === 0) return this.become("paused");
    const later = laterSeconds(error);
    if (later !== null) return this.comeBack(later);
    this.problem = refusal(status, error.originalResponse?.getBody() ?? "");
    this.become("refused");
  }

  private onSuccess(): void {
    this.sent = this.size;
    this.upload = null;
    this.become("processing");
    this.keep();
  }

  /** Take in what the server tells of the video; while bytes are missing it knows nothing new. */
  hear(video: News): void {
    if (this.ended || (video.state === "uploading" && !this.isSent)) return;
    this.made = video.progress;
    this.readyIn = video.ready_in_s;
    const canPlay = video.state === "playable" || video.state === "ready";
    if (video.stream && canPlay) this.poster = `/streams/${video.id}/${video.stream}/poster.jpg`;
    if (video.state === "failed") this.problem = video.failure?.reason ?? "";
    this.mayPass = mayPass(video.failure);
    const stage: Stage = video.state === "uploading" ? "processing" : video.state;
    if (stage === "ready" || stage === "failed") dropRecord(this.path);
    if (stage === "ready") this.made = 1;
    this.become(stage);
  }

  /** What became of an upload that an earlier page left: how far it is, or that it is gone. */
  async look(): Promise<void> {
    if (this.stage !== "unfinished") return;
    try {
      const found = await ask<{ offset: number; complete: boolean }>("GET", this.path.replace("/api/v1", ""));
      this.sent = found.offset;
      if (found.complete) this.onSuccess();
      else this.tell();
    } catch (error) {
      if (!(error instanceof ApiError) || ![404, 410].includes(error.status)) return;
      dropRecord(this.path);
      this.become("gone");
    }
  }

  async retryMaking(): Promise<void> {
    try {
      await ask("POST", `${videoPath(this.video)}/retry`);
      this.become("processing");
    } catch (error) {
      this.problem = (error as Error).message;
      this.tell();
    }
  }

  async saveTitle(): Promise<void> {
    const title = this.title.trim();
    if (!this.video || !title || title === this.savedTitle) return this.keep();
    await this.save({ title });
    if (this.titleState === "saved") this.savedTitle = title;
  }

  async saveVisibility(): Promise<void> {
    if (this.video) await this.save({ visibility: this.visibility });
  }

  private async save(change: object): Promise<void> {
    this.keep();
    try {
      await ask("PATCH", videoPath(this.video), change);
      this.titleState = "saved";
    } catch {
      this.titleState = "not_saved";
    }
    this.tell();
  }

  private keep(): void {
    if (!this.path || this.ended || this.stage === "ready" || this.stage === "failed") return;
    const { path, video, name, size, lastModified, title, visibility, sent } = this;
    keepRecord({ path, video, name, size, lastModified, title, visibility, sent, complete: this.isSent });
  }

  private become(stage: Stage): void {
    const changed = stage !== this.stage;
    this.stage = stage;
    if (changed) this.dispatchEvent(new Event("stage"));
    this.tell();
  }

  private tell(): void {
    this.dispatchEvent(new Event("change"));
  }
}

/** The title people would give: the name without its ending, underscores read as spaces. */
export function titleOf(name: string): string {
  return name.replace(/\.[A-Za-z0-9]{1,5}$/, "").replace(/_+/g, " ").trim() || name;
}

/** In how many seconds a server that is behind with others asks to come back, null where it is not. */
function laterSeconds(error: DetailedError): number | null {
  const response = error.originalResponse;
  if (response?.getStatus() !== 503 || !response.getBody().includes('"overloaded"')) return null;
  return Number(response.getHeader("Retry-After")) || LATER_S;
}

function refusal(status: number, body: string): string {
  if (status === 401) return texts.refused_login;
  try {
    const { detail } = JSON.parse(body) as { detail?: string };
    if (detail) return detail;
  } catch {
    // not a problem document
  }
  return status === 413 ? texts.refused_size : say(texts.refused_other, { status });
}
