/** What the server answers; docs/server.md describes it. */

import type { RequestItem } from "../domain/guides.ts";

export interface About {
  readonly version: string;
  readonly limits: Readonly<Record<string, number>>;
  readonly mask: { readonly max_columns: number };
}

export interface ModelInfo {
  readonly name: string;
  readonly guides: readonly string[];
  readonly vocabulary: readonly string[];
  readonly summary: string;
}

export type FileKind = "audio" | "midi" | "mask";

export interface FileInfo {
  readonly id: string;
  readonly session: string;
  readonly name: string;
  readonly kind: FileKind;
  readonly state: "analyzing" | "ready" | "failed";
  readonly progress: number;
  readonly error: string | null;
  readonly size_bytes: number;
  readonly sample_rate: number | null;
  readonly n_channels: number | null;
  readonly n_samples: number | null;
  readonly duration: number | null;
  readonly final_samples: number | null;
}

export interface StemInfo {
  readonly sound: string;
  readonly name: string;
  readonly presence: number | null;
}

export type JobState = "waiting" | "running" | "done" | "failed" | "cancelled";

export interface JobInfo {
  readonly id: string;
  readonly take: string;
  readonly state: JobState;
  readonly progress: number;
  readonly error: string | null;
  readonly region: { readonly start: number; readonly stop: number } | null;
  readonly start: number;
  readonly stop: number;
  readonly cached: boolean;
  readonly final_samples: number;
  readonly stems: readonly StemInfo[];
  readonly warnings: readonly string[];
}

export interface TakeInfo {
  readonly id: string;
  readonly session: string;
  readonly song: string;
  readonly title: string;
  readonly parent: string | null;
  readonly created: number;
  readonly targets: readonly RequestItem[];
  readonly model: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly jobs: readonly JobInfo[];
}

export interface SessionInfo {
  readonly id: string;
  readonly title: string;
  readonly page: Record<string, unknown> | null;
  readonly files: readonly FileInfo[];
  readonly takes: readonly TakeInfo[];
}

export interface SoundInfo {
  readonly sample_rate: number;
  readonly n_channels: number;
  readonly n_samples: number;
  readonly final_samples: number;
}

export interface TakeRequest {
  readonly song: string;
  readonly targets: readonly RequestItem[];
  readonly model: string | null;
  readonly region?: { start: number; stop: number };
  readonly whole?: boolean;
  readonly parent?: string | null;
  readonly title?: string;
}

export interface TakeCode {
  readonly command: string;
  readonly python: string;
}
