/** Questions to /api/v1; a refusal becomes an ApiError with the sentence the server gave. */

export interface Failure {
  code: string;
  reason: string;
}

export interface Video {
  id: string;
  title: string;
  description: string;
  visibility: "public" | "unlisted" | "private";
  state: "uploading" | "processing" | "playable" | "ready" | "failed";
  failure: Failure | null;
  damage: string | null;
  progress: number;
  stream: string | null;
  version: number;
  source_bytes: number;
  stored_bytes: number;
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

export const videoPath = (id: string): string => `/videos/${encodeURIComponent(id)}`;
