/** The page. */

import { useEffect, useRef } from "preact/hooks";
import { addSongs, openDemo } from "./actions.ts";
import { openSession } from "./session.ts";
import { announcement, duration, helpOpen, sending, sessions, songId } from "./desk.ts";
import { GuidePanel } from "./GuidePanel.tsx";
import { KEYS } from "./keyboard.ts";
import { DropZone, IconButton, Problem, SessionWords } from "./parts.tsx";
import { PickFiles } from "./SongHeader.tsx";
import { Timeline } from "./Timeline.tsx";
import { TopBar } from "./TopBar.tsx";

export function App() {
  const isEmpty = songId.value === null && duration.value <= 0;
  return (
    <>
      <TopBar />
      <DropZone class="desk" words="Drop songs here" onDrop={(dropped) => void addSongs(dropped)}>
        <main class="work">
          <Timeline />
          {isEmpty && <Welcome />}
          {!isEmpty && (
            <div class="file-problems">
              <Problem place="files" />
            </div>
          )}
        </main>
        <GuidePanel />
      </DropZone>
      <Help />
      <div class="sr-only" role="status" aria-live="polite">
        {announcement.value}
      </div>
    </>
  );
}

function Welcome() {
  const isSending = sending.value.length > 0;
  return (
    <div class="welcome">
      <h1>Drop a song here</h1>
      <p class="faint">
        Any audio or video file. Then point at a sound: by name, by an example, by humming it, or by painting on its
        spectrogram.
      </p>
      <div class="row center">
        <PickFiles
          label={isSending ? "Sending…" : "Choose a file…"}
          strong
          onPick={(picked) => void addSongs(picked)}
        />
        <button class="button" onClick={() => void openDemo()}>
          Take the demo song
        </button>
      </div>
      <Problem place="files" />
      {sessions.value.length > 0 && (
        <>
          <h2>Where you left off</h2>
          <ul class="plain-list">
            {sessions.value.slice(0, 6).map((one) => (
              <li key={one.id}>
                <button class="plain" onClick={() => void openSession(one.id)}>
                  <SessionWords session={one} />
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (helpOpen.value) dialog.current?.showModal();
    else dialog.current?.close();
  }, [helpOpen.value]);
  return (
    <dialog ref={dialog} aria-label="Keyboard" onClose={() => (helpOpen.value = false)}>
      <div class="row">
        <h2 class="grow">Keyboard</h2>
        <IconButton icon="close" label="Close" onClick={() => (helpOpen.value = false)} />
      </div>
      <dl class="keys">
        {KEYS.map(([key, words]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
      <p class="faint small">
        Wheel: scroll. Ctrl and wheel, or two fingers: zoom. Drag an edge of the region to move it.
      </p>
    </dialog>
  );
}
