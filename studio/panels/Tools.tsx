/** Beside the spectrogram: the tools that paint. */

import {
  type Tool,
  activeTarget,
  brushConfidence,
  brushSize,
  brushSoftness,
  draft,
  model,
  models,
  offers,
  paintSign,
  strokes,
  tool,
} from "./desk.ts";
import { refusal } from "../domain/models.ts";
import { IconButton, Problem, Slider } from "./parts.tsx";
import { clearPaint, easelOf, redo, undo } from "./paintings.ts";
import { duration } from "./desk.ts";
import { Frequencies } from "./Timeline.tsx";

export const TOOLS: readonly { tool: Tool; words: string; key: string }[] = [
  { tool: "select", words: "Choose a region", key: "V" },
  { tool: "brush", words: "Brush", key: "B" },
  { tool: "harmonics", words: "Harmonics brush: paints the overtones, too", key: "H" },
  { tool: "rectangle", words: "Rectangle", key: "R" },
  { tool: "lasso", words: "Lasso", key: "G" },
  { tool: "eraser", words: "Eraser", key: "E" },
];

export function Tools() {
  const paints = offers("Mask");
  const isPainting = tool.value !== "select";
  void strokes.value;
  const id = activeTarget.value;
  const history =
    id && duration.value > 0 && draft.value.targets.some((one) => one.id === id) ? easelOf(id).history : null;
  return (
    <div class="gutter tools">
      <div class="tool-column" role="toolbar" aria-label="Tools for the spectrogram" aria-orientation="vertical">
        <div class="tool-grid">
          {TOOLS.map((one) => (
            <IconButton
              key={one.tool}
              icon={one.tool}
              label={one.words}
              keys={one.key}
              pressed={tool.value === one.tool}
              disabled={one.tool !== "select" && !paints}
              onClick={() => (tool.value = one.tool)}
            />
          ))}
        </div>
        {!paints && <p class="faint small">{model.value ? refusal(model.value, "Mask", models.value) : ""}</p>}
        {isPainting && paints && (
          <>
            <div class="segmented" role="group" aria-label="What the paint says">
              <button
                class={paintSign.value === 1 ? "on positive" : ""}
                aria-pressed={paintSign.value === 1}
                onClick={() => (paintSign.value = 1)}
                title="The sound (X switches)"
              >
                is it
              </button>
              <button
                class={paintSign.value === -1 ? "on negative" : ""}
                aria-pressed={paintSign.value === -1}
                onClick={() => (paintSign.value = -1)}
                title="What it is not (X switches)"
              >
                is not
              </button>
            </div>
            <Slider
              label="Size"
              words={`${brushSize.value}`}
              min={4}
              max={160}
              step={1}
              value={brushSize.value}
              onChange={(value) => (brushSize.value = value)}
            />
            <Slider
              label="Soft"
              words={`${Math.round(brushSoftness.value * 100)} %`}
              min={0}
              max={1}
              step={0.05}
              value={brushSoftness.value}
              onChange={(value) => (brushSoftness.value = value)}
            />
            <Slider
              label="Sure"
              words={`${Math.round(brushConfidence.value * 100)} %`}
              min={0.1}
              max={1}
              step={0.05}
              value={brushConfidence.value}
              onChange={(value) => (brushConfidence.value = value)}
            />
          </>
        )}
        {history && (history.canUndo || history.canRedo) && (
          <div class="row wrap">
            <IconButton
              icon="undo"
              label="Undo paint"
              keys="Ctrl+Z"
              disabled={!history.canUndo}
              onClick={() => undo(id!)}
            />
            <IconButton
              icon="redo"
              label="Redo paint"
              keys="Ctrl+Shift+Z"
              disabled={!history.canRedo}
              onClick={() => redo(id!)}
            />
            <button class="chip" disabled={history.painting.isEmpty} onClick={() => clearPaint(id!)}>
              Clear
            </button>
          </div>
        )}
        <Problem place="paint" />
      </div>
      <Frequencies />
    </div>
  );
}
