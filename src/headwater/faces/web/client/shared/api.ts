/** Questions to /api/v1; a refusal becomes an ApiError with the sentence the server gave. */

export interface Failure {
  code: string;
  reason: string;
}

/** Whether the same file may be made when it is tried again: only what is the server's fault. */
export function mayPass(failure: Failure | null): boolean {
  return failure?.code === "engine";
}

export type State = "uploading" | "processing" | "playable" | "ready" | "failed";

/** What the event streams tell of a video. */
export interface News {
  id: string;
  state: State;
  progress: number;
  /** How long it may take until it is ready, null where nobody knows. */
  ready_in_s: number | null;
  /** How many seconds of a rung the server makes in one second, by track. */
  speeds: Record<string, number>;
  failure: Failure | null;
  damage: string | null;
  duration_s: number | null;
  stream: string | null;
  deleted_at: number | null;
  version: number;
}

export interface Video extends Omit<News, "stream"> {
  title: string;
  description: string;
  visibility: "public" | "unlisted" | "private";
  poster_url: string | null;
  source_bytes: number | null;
  stored_bytes: number | null;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export async function ask<T>(method: string, path: string, body?: object, headers: HeadersInit = {}): Promise<T> {
  const response = await fetch(`/api/v1${path}`, {
    method,
    body: body === undefined ? null : JSON.stringify(body),
    headers: { accept: "application/json", ...(body && { "content-type": "application/json" }), ...headers },
  });
  if (!response.ok) throw await refusal(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function refusal(response: Response): Promise<ApiError> {
  const problem = await response.json().catch(() => ({}));
  return new ApiError(response.status, problem.code ?? "", problem.detail ?? problem.title ?? response.statusText);
}

/** Hear what happens to the video at `path`, or to all one's own; the browser reconnects by itself. */
export function follow(path: string, heard: (news: News) => void): EventSource {
  const source = new EventSource(`/api/v1${path}`);
  source.addEventListener("progress", (event) => heard(JSON.parse(event.data) as News));
  return source;
}

export const videoPath = (id: string): string => `/videos/${encodeURIComponent(id)}`;
