/** Above all: session, transport, zoom, looks. */

import { addSongs } from "./actions.ts";
import { openSession, newSession, renameSession, removeSession } from "./session.ts";
import { sessionAddress } from "../api/client.ts";
import { clock, fitAll, zoomed } from "../domain/time.ts";
import {
  connected,
  duration,
  helpOpen,
  looping,
  menu,
  playhead,
  playing,
  region,
  sending,
  sessionId,
  sessionTitle,
  sessions,
  theme,
  themeChoice,
  view,
} from "./desk.ts";
import { Icon, IconButton, Problem, SessionWords } from "./parts.tsx";
import { seek, togglePlay } from "./playback.ts";
import { PickFiles, RegionWords } from "./SongHeader.tsx";

function zoom(factor: number): void {
  const inView =
    playhead.value >= view.value.start &&
    playhead.value <= view.value.start + view.value.width * view.value.secondsPerPixel;
  const anchor = inView ? (playhead.value - view.value.start) / view.value.secondsPerPixel : view.value.width / 2;
  view.value = zoomed(view.value, factor, anchor, duration.value);
}

function zoomAll(): void {
  view.value = fitAll(duration.value, view.value.width);
}

export function TopBar() {
  const noSong = duration.value <= 0;
  return (
    <header class="topbar">
      <SessionMenu />
      <div class="row transport" role="group" aria-label="Transport">
        <IconButton
          icon="start"
          label="To the beginning"
          keys="Home"
          disabled={noSong}
          onClick={() => seek(region.value && looping.value ? region.value.start : 0)}
        />
        <IconButton
          icon={playing.value ? "pause" : "play"}
          label={playing.value ? "Pause" : "Play"}
          keys="Space"
          disabled={noSong}
          class="play"
          onClick={() => void togglePlay()}
        />
        <IconButton
          icon="loop"
          label="Loop the region"
          keys="L"
          pressed={looping.value}
          disabled={!region.value}
          onClick={() => (looping.value = !looping.value)}
        />
        <Clock />
      </div>
      <RegionWords />
      <span class="grow" />
      <Sending />
      <div class="row" role="group" aria-label="Zoom">
        <IconButton icon="minus" label="Zoom out" keys="−" disabled={noSong} onClick={() => zoom(0.5)} />
        <IconButton icon="fit" label="The whole song" keys="0" disabled={noSong} onClick={zoomAll} />
        <IconButton icon="plus" label="Zoom in" keys="+" disabled={noSong} onClick={() => zoom(2)} />
      </div>
      <IconButton
        icon="theme"
        label={theme.value.isDark ? "Light colors" : "Dark colors"}
        onClick={() => (themeChoice.value = theme.value.isDark ? "light" : "dark")}
      />
      <IconButton icon="help" label="Keyboard" keys="?" onClick={() => (helpOpen.value = true)} />
      {!connected.value && sessionId.value && (
        <span class="badge warning" role="status">
          no connection, trying again…
        </span>
      )}
      <Problem place="server" />
    </header>
  );
}

/** Alone, so that nothing else is made anew at every frame. */
function Clock() {
  return (
    <time class="clock" aria-label="Position">
      {clock(playhead.value, 2)}
    </time>
  );
}

function Sending() {
  if (!sending.value.length) return null;
  const one = sending.value[0]!;
  return (
    <span class="badge" role="status">
      sending {one.name} {Math.round(one.progress * 100)} %
    </span>
  );
}

function SessionMenu() {
  const close = () => (menu.value = null);
  const isOpen = menu.value === "sessions";
  return (
    <div class="session-menu" data-menu>
      <button
        class="brand"
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        onClick={() => (menu.value = isOpen ? null : "sessions")}
      >
        <Icon name="list" />
        <b>Unbraid</b> <span class="clip title">{sessionTitle.value}</span>
      </button>
      {isOpen && (
        <div class="popover" role="dialog" aria-label="Sessions">
          {sessionId.value && (
            <label class="field">
              Name of this session
              <input value={sessionTitle.value} onChange={(event) => void renameSession(event.currentTarget.value)} />
            </label>
          )}
          <div class="row wrap">
            <button
              class="button"
              onClick={() => {
                close();
                void newSession();
              }}
            >
              New session
            </button>
            <PickFiles
              label="Open a session file…"
              accept=".zip"
              onPick={(files) => {
                close();
                void addSongs(files);
              }}
            />
            {sessionId.value && (
              <a class="button" href={sessionAddress(sessionId.value)} download="">
                Save a session file
              </a>
            )}
          </div>
          <h3>Other sessions</h3>
          <ul class="plain-list">
            {sessions.value
              .filter((one) => one.id !== sessionId.value)
              .slice(0, 20)
              .map((one) => (
                <li key={one.id}>
                  <button
                    class="plain grow clip"
                    onClick={() => {
                      close();
                      void openSession(one.id);
                    }}
                  >
                    <SessionWords session={one} />
                  </button>
                  <IconButton
                    icon="close"
                    label={`Delete the session ${one.title || "Untitled"}`}
                    onClick={() => void removeSession(one.id)}
                  />
                </li>
              ))}
            {sessions.value.length < 2 && <li class="faint">None yet</li>}
          </ul>
        </div>
      )}
    </div>
  );
}
