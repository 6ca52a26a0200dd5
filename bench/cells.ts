import type { Cost, Idle } from "./sandbox";

/** Seconds, and in brackets processor seconds. */
export const costCell = ({ seconds, processorSeconds }: Cost) =>
    `${seconds.toFixed(1)} (${processorSeconds.toFixed(1)})`;

/** Processor seconds of each minute. */
export const idleCell = ({ minutes }: Idle) => minutes.map((minute) => minute.toFixed(0)).join(" ");

/** The five programs that come first, with their MiB. */
export const memoryCell = (memoryMiB: Readonly<Record<string, number>>) =>
    Object.entries(memoryMiB)
        .slice(0, 5)
        .map(([name, size]) => `${name} ${size}`)
        .join(", ");
