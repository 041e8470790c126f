/** What changes in a session, as the server tells it. */

import type { FileInfo, JobInfo, SessionInfo, TakeInfo } from "./types.ts";

export interface Listener {
  snapshot(session: SessionInfo): void;
  session(session: SessionInfo): void;
  file(file: FileInfo): void;
  take(take: TakeInfo): void;
  job(job: JobInfo): void;
  gone(what: { kind: string; id: string }): void;
  /** Whether the line stands. */
  connected(is: boolean): void;
}

const KINDS = ["snapshot", "session", "file", "take", "job", "gone"] as const;

/** Listen until the function that is returned is called; a broken line is tried again, and begins with a snapshot. */
export function listen(session: string, listener: Listener): () => void {
  const source = new EventSource(`/api/sessions/${session}/events`);
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      (listener[kind] as (value: unknown) => void)(JSON.parse((event as MessageEvent<string>).data));
    });
  }
  source.onopen = () => listener.connected(true);
  source.onerror = () => listener.connected(false);
  return () => source.close();
}
