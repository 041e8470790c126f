/** Made by .ci/make_studio_client.py from the server's OpenAPI document; do not edit. */

export interface AboutDocument {
  readonly version: string;
  readonly devices: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  readonly formats: Readonly<Record<string, readonly string[]>>;
  readonly stem_mp4: boolean;
  readonly demo: boolean;
  readonly tasks: Readonly<Record<string, readonly string[]>>;
  readonly mask: Readonly<Record<string, number>>;
  readonly peaks: Readonly<Record<string, number>>;
  readonly spectrogram: Readonly<Record<string, number>>;
}

export interface CodeDocument {
  readonly command: string;
  readonly python: string;
  readonly files: Readonly<Record<string, string>>;
  readonly documents: Readonly<Record<string, string>>;
}

export interface ErrorDocument {
  readonly error: ErrorValues;
}

export interface ErrorValues {
  readonly type: string;
  readonly message: string;
}

export interface Example {
  readonly file: string;
  readonly start?: number | null;
  readonly stop?: number | null;
}

export interface ExamplesSpec {
  readonly positive: readonly (FileSpec | PassageSpec)[];
  readonly negative?: readonly (FileSpec | PassageSpec)[];
  readonly kind: "examples";
}

export interface FileDocument {
  readonly id: string;
  readonly session: string;
  readonly name: string;
  readonly kind: "audio" | "midi" | "mask" | "label" | null;
  readonly state: "analyzing" | "teaching" | "ready" | "failed";
  readonly progress: number;
  readonly error: string | null;
  readonly created: number;
  readonly size_bytes: number;
  readonly sha256: string;
  readonly sample_rate: number | null;
  readonly n_channels: number | null;
  readonly n_samples: number | null;
  readonly duration: number | null;
  readonly final_samples: number | null;
  readonly label: LabelDocument | null;
}

export interface FileSpec {
  readonly file: string;
}

export interface FromLibrary {
  readonly name: string;
  readonly model_sha256: string;
}

export interface FromSound {
  readonly sound: string;
  readonly name?: string | null;
}

export interface HealthDocument {
  readonly status: "ok" | "degraded";
  readonly version: string;
  readonly workers: Readonly<Record<string, boolean>>;
}

export interface JobDocument {
  readonly id: string;
  readonly take: string;
  readonly session: string;
  readonly state: "waiting" | "running" | "done" | "failed" | "cancelled";
  readonly progress: number;
  readonly error: string | null;
  readonly created: number;
  readonly region: Region | null;
  readonly start: number;
  readonly stop: number;
  readonly cached: boolean;
  readonly final_samples: number;
  readonly stems: readonly StemDocument[];
  readonly presence_curve: readonly (readonly number[])[];
}

export interface LabelDocument {
  readonly name: string;
  readonly model: string;
  readonly model_sha256: string;
}

export interface LabelSpec {
  readonly name: string;
  readonly kind: "label";
}

export interface Level {
  readonly level: number;
  readonly count: number;
}

export interface MaskSpec {
  readonly positive?: string | null;
  readonly negative?: string | null;
  readonly shapes?: ShapesSpec | null;
  readonly soft?: boolean;
  readonly kind: "mask";
}

export interface MimicrySpec {
  readonly file: string;
  readonly offset?: number | null;
  readonly kind: "mimicry";
}

export interface ModelDocument {
  readonly name: string;
  readonly summary: string;
  readonly guides: readonly string[];
  readonly vocabulary: readonly string[];
  readonly licence: string;
  readonly training_data: string;
  readonly sample_rate: number;
  readonly segment: number;
  readonly n_parameters: number;
  readonly draws: boolean;
  readonly takes_negatives: boolean;
  readonly listens: boolean;
  readonly model_sha256: string;
  readonly priors: readonly string[];
  readonly searches: readonly string[];
}

export interface NewJob {
  readonly region?: Region | null;
}

export interface NewLesson {
  readonly name: string;
  readonly positive: readonly Example[];
  readonly negative?: readonly Example[];
  readonly model?: string | null;
}

export interface NewSession {
  readonly title?: string;
}

export interface NewTake {
  readonly song: string;
  readonly targets: readonly (TargetSpec | LabelSpec | TaughtSpec | PromptsSpec | TaskSpec | ExamplesSpec | SpanSpec | MimicrySpec | ScoreSpec | MaskSpec)[];
  readonly model?: string | null;
  readonly settings?: TakeSettings;
  readonly region?: Region | null;
  readonly whole?: boolean | null;
  readonly title?: string;
  readonly parent?: string | null;
}

export interface NotesDocument {
  readonly tracks: readonly TrackDocument[];
}

export interface PassageSpec {
  readonly start: number;
  readonly stop: number;
}

export interface PolygonSpec {
  readonly polygon: readonly (readonly [number, number])[];
  readonly confidence?: number;
}

export interface PromptsSpec {
  readonly names: readonly string[];
  readonly kind: "prompts";
}

export interface RectangleSpec {
  readonly start: number;
  readonly stop: number;
  readonly low?: number;
  readonly high?: number;
  readonly confidence?: number;
}

export interface Region {
  readonly start: number;
  readonly stop: number;
}

export interface ScoreSpec {
  readonly file: string;
  readonly track?: number | string | null;
  readonly offset?: number | null;
  readonly kind: "score";
}

export interface SeparateDocument {
  readonly session: string;
  readonly file: string;
  readonly take: TakeDocument;
  readonly job: JobDocument;
}

export interface SessionChange {
  readonly title?: string | null;
  readonly page?: Readonly<Record<string, unknown>> | null;
}

export interface SessionDocument {
  readonly id: string;
  readonly title: string;
  readonly created: number;
  readonly used: number;
  readonly page: Readonly<Record<string, unknown>>;
  readonly stored_bytes: number;
  readonly files: readonly FileDocument[];
  readonly takes: readonly TakeDocument[];
}

export interface SessionSummary {
  readonly id: string;
  readonly title: string;
  readonly created: number;
  readonly used: number;
}

export interface ShapesSpec {
  readonly positive?: readonly (RectangleSpec | PolygonSpec)[];
  readonly negative?: readonly (RectangleSpec | PolygonSpec)[];
}

export interface SoundDocument {
  readonly id: string;
  readonly name: string;
  readonly sample_rate: number;
  readonly n_channels: number;
  readonly n_samples: number;
  readonly final_samples: number;
  readonly duration: number;
  readonly start: number;
  readonly peaks: readonly Level[];
  readonly spectrogram: readonly Level[];
}

export interface SpanSpec {
  readonly start: number;
  readonly stop: number;
  readonly sounds?: boolean;
  readonly kind: "span";
}

export interface StemDocument {
  readonly sound: string;
  readonly name: string;
  readonly presence: number | null;
  readonly peak_db: number | null;
}

export interface TakeChange {
  readonly title: string;
}

export interface TakeDocument {
  readonly id: string;
  readonly session: string;
  readonly song: string;
  readonly title: string;
  readonly parent: string | null;
  readonly created: number;
  readonly targets: readonly unknown[];
  readonly model: string;
  readonly settings: TakeSettings;
  readonly jobs: readonly JobDocument[];
}

export interface TakeSettings {
  readonly overlap?: number | null;
  readonly segment?: number | null;
  readonly batch_size?: number | null;
  readonly precision?: "fp32" | "bf16" | null;
  readonly seed?: number | null;
  readonly steps?: number | null;
  readonly candidates?: number | null;
  readonly priors?: readonly string[] | null;
  readonly search?: string | null;
}

export interface TargetSpec {
  readonly name: string;
  readonly guides: readonly (LabelSpec | TaughtSpec | PromptsSpec | TaskSpec | ExamplesSpec | SpanSpec | MimicrySpec | ScoreSpec | MaskSpec)[];
}

export interface TaskSpec {
  readonly task: string;
  readonly kind: "task";
}

export interface TaughtSpec {
  readonly name: string;
  readonly file: string;
  readonly kind: "taught";
}

export interface TrackDocument {
  readonly number: number;
  readonly name: string;
  readonly is_drum: boolean;
  readonly notes: readonly (readonly [number, number, number, number])[];
}
