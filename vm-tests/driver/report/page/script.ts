/** The script of a report's page. It is put into the page without its types, so it imports nothing but types. */
import type { ReportData, ReportMachine, ReportRun, ShownRun } from "../report-data.ts";

type Child = Node | string | undefined;

/** Times that move together: a click on the timeline scrolls the logs, and a scrolled log moves the others. */
class Cursor {
  readonly #listeners: ((seconds: number, from: unknown) => void)[] = [];

  follow(listener: (seconds: number, from: unknown) => void): void {
    this.#listeners.push(listener);
  }

  set(seconds: number, from?: unknown): void {
    for (const listener of this.#listeners) listener(seconds, from);
  }
}

const data = JSON.parse(document.getElementById("data")?.textContent ?? "") as ReportData;
const main = element("main");
document.body.append(main);
showRun(chosenRun());
addEventListener("hashchange", () => showRun(chosenRun()));

/** The run that the address names, else the first that did not pass, else the first that counts. */
function chosenRun(): ShownRun | undefined {
  const title = decodeURIComponent(location.hash.slice(1));
  const { runs } = data;
  const counting = runs.filter(({ retried }) => retried !== true);
  const red = counting.find(({ outcome }) => outcome !== "passed" && outcome !== "flaky");
  return runs.find((run) => titleOf(run) === title) ?? red ?? counting[0];
}

/** What tells a run from all others of a report. */
function titleOf({ name, platform, attempt, retried, outcome }: ReportRun): string {
  const others = data.runs.filter((run) => run.name === name && run.platform !== platform);
  const which = retried === true || outcome === "flaky" || attempt > 1 ? `, attempt ${attempt}` : "";
  return `${name}${others.length === 0 ? "" : ` on ${platform}`}${which}`;
}

function showRun(run: ShownRun | undefined): void {
  const chooser = data.runs.length > 1 ? [showChooser(run)] : [];
  main.replaceChildren(...chooser, ...(run === undefined ? ["There is no run in this report."] : showParts(run)));
}

/** Its class: what the host did is not shown as what was tested. */
function kindOf({ outcome, ofHost, afterHostFault }: ReportRun): string {
  return `${outcome}${ofHost === true || afterHostFault === true ? " host" : ""}`;
}

function showChooser(chosen: ReportRun | undefined): Node {
  const links = data.runs.map((run) => {
    const kind = `run ${kindOf(run)}${run.retried === true ? " retried" : ""}${run === chosen ? " chosen" : ""}`;
    const link = element("a", { class: kind }, titleOf(run));
    link.setAttribute("href", `#${encodeURIComponent(titleOf(run))}`);
    return link;
  });
  const last = data.runs.filter(({ retried }) => retried !== true);
  const count = (wanted: ReportRun["outcome"]): number => last.filter(({ outcome }) => outcome === wanted).length;
  const [passed, flaky] = [count("passed"), count("flaky")];
  const byHost = last.filter(({ ofHost }) => ofHost === true).length;
  const afterFault = last.filter(({ outcome, afterHostFault }) => outcome === "passed" && afterHostFault).length;
  const words = [
    `${passed} passed${afterFault === 0 ? "" : ` (${afterFault} after a fault of the host)`}`,
    ...(flaky === 0 ? [] : [`${flaky} flaky`]),
    ...(byHost === 0 ? [] : [`${byHost} failed by a fault of the host`]),
    `${last.length - passed - flaky - byHost} failed`,
  ];
  return element("nav", {}, `${words.join(", ")} `, ...links);
}

function showParts(run: ShownRun): Node[] {
  const cursor = new Cursor();
  const parts = [
    element(
      "h1",
      { class: kindOf(run) },
      titleOf(run),
      " ",
      element("small", {}, `${run.words} in ${time(run.seconds)}`),
    ),
    element("p", { class: "quiet" }, run.accelerator, element("br"), run.folder),
    run.error === undefined ? undefined : element("pre", { class: "error" }, run.error),
    showComparison(run),
    showTimeline(run, cursor),
    ...run.machines.map((machine) => showMachine(machine, cursor)),
  ];
  const firstTrouble = run.steps.find(({ outcome }) => outcome !== "passed")?.end;
  queueMicrotask(() => cursor.set(firstTrouble ?? run.seconds));
  return parts.filter((part) => part !== undefined);
}

function showComparison({ comparison, outcome }: ReportRun): Node | undefined {
  if (comparison === undefined) return undefined;
  const { differences, folder } = comparison;
  const rows = differences.map(({ what, before, now }) =>
    element("tr", {}, element("th", {}, what), element("td", {}, before), element("td", {}, now)),
  );
  const title = `Different from the last run that passed: ${differences.length === 0 ? "nothing" : differences.length}`;
  const box = element(
    "details",
    { class: "comparison" },
    element("summary", {}, title),
    element("p", { class: "quiet" }, folder),
    rows.length === 0 ? undefined : element("table", {}, ...rows),
  );
  if (outcome !== "passed" && rows.length > 0) box.setAttribute("open", "");
  return box;
}

/** Lanes over one axis of time: steps, then for each machine its states, commands, units and what it used. */
function showTimeline(run: ReportRun, cursor: Cursor): Node {
  const whole = Math.max(run.seconds, 0.1);
  const needle = element("div", { class: "needle" });
  const clock = element("output", { class: "clock" });
  const tracks = element("div", { class: "tracks" }, showAxis(whole), needle);
  const lane = (label: string, kind: string, ...bars: Node[]): void => {
    tracks.append(element("div", { class: `lane ${kind}` }, element("span", { class: "label" }, label), ...bars));
  };
  const bar = (kind: string, begin: number, end: number, label: string, row = 0): HTMLElement => {
    const shown = element("div", { class: `bar ${kind}` }, label);
    shown.title = `${label}\n${time(begin)} – ${time(end)} (${time(end - begin)})`;
    shown.style.left = `${(begin / whole) * 100}%`;
    shown.style.width = `${(Math.max(0, end - begin) / whole) * 100}%`;
    shown.style.setProperty("--row", String(row));
    return shown;
  };
  const rows = (count: number): void => {
    (tracks.lastElementChild as HTMLElement).style.setProperty("--rows", String(Math.max(1, count)));
  };

  lane("steps", "steps", ...run.steps.map((step) => bar(step.outcome, step.begin, step.end, step.name, step.depth)));
  rows(1 + Math.max(0, ...run.steps.map(({ depth }) => depth)));
  for (const machine of run.machines) {
    lane(
      machine.name,
      "states",
      ...machine.states.map(({ state, begin, end }) => bar(state, begin, end, state)),
      ...machine.marks.map(({ at, text, trouble }) => bar(trouble ? "mark trouble" : "mark", at, at, text)),
    );
    const commands = stack(machine.commands);
    lane(
      "commands",
      "commands",
      ...machine.commands.map((each, index) =>
        bar(each.status === 0 ? "done" : "refused", each.begin, each.end, each.command, commands.rows[index]),
      ),
    );
    rows(commands.count);
    if (machine.units.length > 0) {
      // Most jobs are over at once: each needs room for a name all the same.
      const room = whole / 8;
      const units = stack(machine.units.map(({ begin, end }) => ({ begin, end: Math.max(end, begin + room) })));
      lane(
        "units",
        "units",
        ...machine.units.map((unit, index) => bar(unit.outcome, unit.begin, unit.end, unit.name, units.rows[index])),
      );
      rows(units.count);
    }
    if (machine.usage.length > 0) lane("use", "use", ...showUsage(machine, whole));
  }

  const zoom = (factor: number): void => {
    const now = Number(tracks.dataset["zoom"] ?? 1);
    const next = Math.min(64, Math.max(1, now * factor));
    tracks.dataset["zoom"] = String(next);
    tracks.style.width = `${next * 100}%`;
  };
  tracks.addEventListener("click", (event) => {
    const box = tracks.getBoundingClientRect();
    cursor.set(Math.min(whole, Math.max(0, ((event.clientX - box.left) / box.width) * whole)));
  });
  cursor.follow((seconds) => {
    needle.style.left = `${(seconds / whole) * 100}%`;
    clock.textContent = time(seconds);
  });
  return element(
    "section",
    { class: "timeline" },
    element(
      "div",
      { class: "tools" },
      button("−", () => zoom(0.5)),
      button("+", () => zoom(2)),
      clock,
    ),
    element("div", { class: "window" }, tracks),
  );
}

function showAxis(whole: number): Node {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];
  const step = steps.find((each) => whole / each <= 12) ?? 3600;
  const marks: Node[] = [];
  for (let at = 0; at <= whole; at += step) {
    const mark = element("span", {}, time(at));
    mark.style.left = `${(at / whole) * 100}%`;
    marks.push(mark);
  }
  return element("div", { class: "axis" }, ...marks);
}

/** Rows in which spans don't cover each other. */
function stack(spans: readonly { readonly begin: number; readonly end: number }[]): { rows: number[]; count: number } {
  const ends: number[] = [];
  const rows = spans.map(({ begin, end }) => {
    const free = ends.findIndex((each) => each <= begin);
    const row = free < 0 ? ends.length : free;
    ends[row] = Math.max(end, begin);
    return row;
  });
  return { rows, count: ends.length };
}

function showUsage({ usage }: ReportMachine, whole: number): Node[] {
  const curves = [
    { name: "processors", unit: "", of: usage.map(({ cpus }) => cpus) },
    { name: "memory", unit: " MiB", of: usage.map(({ memoryMiB }) => memoryMiB) },
    { name: "disk", unit: " MiB/s", of: usage.map((each) => each.readMiBPerSecond + each.writtenMiBPerSecond) },
  ];
  const namespace = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(namespace, "svg");
  picture.setAttribute("viewBox", "0 0 1000 100");
  picture.setAttribute("preserveAspectRatio", "none");
  const legend = element("span", { class: "legend" });
  for (const { name, unit, of } of curves) {
    const most = Math.max(...of, 0.001);
    const line = document.createElementNS(namespace, "polyline");
    const points = of.map((value, index) => {
      const { begin = 0, end = 0 } = usage[index] ?? {};
      const y = 98 - (value / most) * 94;
      return `${(begin / whole) * 1000},${y} ${(end / whole) * 1000},${y}`;
    });
    line.setAttribute("points", points.join(" "));
    line.setAttribute("class", name);
    picture.append(line);
    legend.append(element("span", { class: name }, `${name}: up to ${most.toFixed(most < 10 ? 1 : 0)}${unit} `));
  }
  return [picture, legend];
}

function showMachine(machine: ReportMachine, cursor: Cursor): Node {
  const filter = element("input", {
    type: "search",
    placeholder: "filter the lines",
    "aria-label": "filter the lines",
  });
  const panes = (["console", "journal"] as const).map((from) => showLines(machine, from, cursor, filter));
  const omitted =
    machine.omittedLines === 0 ? "" : `${machine.omittedLines} earlier lines are in the folder of the run`;
  const pictures = machine.pictures.map(({ name, at, source }) => {
    const image = element("img", { alt: name, src: source });
    if (at !== undefined) image.addEventListener("click", () => cursor.set(at));
    return element("figure", {}, image, element("figcaption", {}, at === undefined ? name : `${name} at ${time(at)}`));
  });
  return element(
    "section",
    { class: "machine" },
    element("h2", {}, machine.name, " ", filter, " ", element("small", { class: "quiet" }, omitted)),
    element("div", { class: "panes" }, ...panes),
    pictures.length === 0 ? undefined : element("div", { class: "pictures" }, ...pictures),
    showCommands(machine, cursor),
  );
}

function showLines(
  { lines }: ReportMachine,
  from: "console" | "journal",
  cursor: Cursor,
  filter: HTMLInputElement,
): Node {
  const own = lines.filter((line) => line.from === from);
  const items = own.map(({ at, line }) =>
    element("li", { "data-at": String(at) }, element("time", {}, time(at)), " ", line),
  );
  const list = element("ol", { class: from, tabindex: "0" }, ...items);
  let current: HTMLElement | undefined;
  let movedTo: number | undefined;
  const goTo = (index: number, scroll: boolean): void => {
    current?.classList.remove("now");
    current = items[index];
    current?.classList.add("now");
    if (!scroll || current === undefined) return;
    list.scrollTop = current.offsetTop - list.clientHeight / 2;
    movedTo = list.scrollTop;
  };
  cursor.follow((seconds, who) => {
    const next = own.findIndex(({ at }) => at > seconds);
    goTo((next < 0 ? own.length : Math.max(1, next)) - 1, who !== list);
  });
  list.addEventListener("click", (event) => {
    const item = (event.target as HTMLElement).closest("li");
    if (item !== null) cursor.set(Number(item.dataset["at"]), list);
  });
  list.addEventListener("scroll", () => {
    // A list that the cursor moved must not move the cursor; two movements may be told as one, the last.
    if (list.scrollTop !== movedTo) {
      movedTo = undefined;
      const middle = list.scrollTop + list.clientHeight / 2;
      const item = items.find((each) => !each.hidden && each.offsetTop + each.offsetHeight >= middle);
      if (item !== undefined) cursor.set(Number(item.dataset["at"]), list);
    }
  });
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase();
    for (const [index, item] of items.entries()) item.hidden = !(own[index]?.line.toLowerCase() ?? "").includes(words);
  });
  return element("div", { class: "pane" }, element("h3", {}, `${from} (${own.length} lines)`), list);
}

function showCommands({ commands }: ReportMachine, cursor: Cursor): Node {
  const shown = commands.map(({ begin, end, command, status, stdout, stderr }) => {
    const first = command.split("\n")[0] ?? "";
    const row = element(
      "details",
      { class: status === 0 ? "done" : "refused" },
      element(
        "summary",
        {},
        element("time", {}, time(begin)),
        ` ${first} `,
        element("small", {}, `→ ${status}, ${time(end - begin)}`),
      ),
      element("pre", {}, command),
      stdout === "" ? undefined : element("pre", { class: "stdout" }, stdout),
      stderr === "" ? undefined : element("pre", { class: "stderr" }, stderr),
    );
    row.addEventListener("toggle", () => cursor.set(end));
    return row;
  });
  return element("details", { class: "commands" }, element("summary", {}, `${commands.length} commands`), ...shown);
}

function button(label: string, act: () => void): Node {
  const made = element("button", { type: "button" }, label);
  made.addEventListener("click", act);
  return made;
}

function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

function time(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}
