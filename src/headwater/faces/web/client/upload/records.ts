/**
 * What this browser remembers of its uploads, so that a reload loses nothing: where the bytes go,
 * which file they come from, and which video they become.
 */

export interface UploadRecord {
  /** Path of the upload on this server. */
  path: string;
  video: string;
  name: string;
  size: number;
  lastModified: number;
  title: string;
  visibility: string;
  sent: number;
  /** Every byte has arrived. */
  complete: boolean;
}

const KEY = "headwater.uploads";

export function readRecords(): UploadRecord[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

function write(records: UploadRecord[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(records));
  } catch {
    // Without storage an upload still works; only a reload forgets it.
  }
}

export function keepRecord(record: UploadRecord): void {
  write([...readRecords().filter(({ path }) => path !== record.path), record]);
}

export function dropRecord(path: string): void {
  write(readRecords().filter((record) => record.path !== path));
}

export function isSameFile(record: UploadRecord, file: File): boolean {
  return record.name === file.name && record.size === file.size && record.lastModified === file.lastModified;
}
