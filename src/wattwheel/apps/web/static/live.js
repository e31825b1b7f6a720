// The stream of server-sent events, kept alive: the page finds back by itself, whatever went away.

const SILENCE_MS = 5000; // the server sends every second, stale values too
const AGAIN_MS = 3000; // after a refusal, where the browser itself does not try again

export function watch({ link, values, ...others }) {
  let source = null;
  let silence = null;

  function lost() {
    link("lost");
    if (source === null || source.readyState === EventSource.CLOSED) connect();
  }

  function alive() {
    clearTimeout(silence);
    silence = setTimeout(connectAnew, SILENCE_MS);
  }

  function connectAnew() {
    link("lost");
    connect();
  }

  function connect() {
    source?.close();
    source = new EventSource("/api/live?with=status,display,waveform,partitions,bus");
    alive();
    source.addEventListener("values", (event) => {
      alive();
      link(values(JSON.parse(event.data)));
    });
    for (const [name, show] of Object.entries(others)) {
      source.addEventListener(name, (event) => show(JSON.parse(event.data)));
    }
    source.addEventListener("error", () => {
      link("lost");
      clearTimeout(silence);
      silence = setTimeout(lost, AGAIN_MS);
    });
    source.addEventListener("open", alive);
  }

  connect();
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) connect();
  });
}
