/** What the server answers, under the words of the page. */

import type { NewLesson, NewTake, SessionDocument } from "./schema.ts";

export type {
  AboutDocument as About,
  CodeDocument as TakeCode,
  FileDocument as FileInfo,
  JobDocument as JobInfo,
  LabelDocument as LabelInfo,
  ModelDocument as ModelInfo,
  SessionSummary,
  TakeDocument as TakeInfo,
} from "./schema.ts";

export type SessionInfo = SessionDocument;
export type TakeRequest = NewTake;
export type LessonRequest = NewLesson;
