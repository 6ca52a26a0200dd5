import type { Host, Severity } from "../../shared/host";

/** Tells the user what a resource waits for. The same message is not shown twice. */
export class Display {
    readonly #host: Host;
    readonly #urn: string;
    readonly #shown = new Set<string>();

    constructor(host: Host, urn: string) {
        this.#host = host;
        this.#urn = urn;
    }

    /** Shows a message while the resource is being worked on. */
    status(severity: Severity, message: string): void {
        this.#once(`status ${severity} ${message}`, () => this.#host.status(severity, this.#urn, message));
    }

    /** Shows a message that stays. */
    log(severity: Severity, message: string): void {
        this.#once(`log ${severity} ${message}`, () => this.#host.log(severity, this.#urn, message));
    }

    /** Clears what {@link status} showed. */
    clear(): void {
        this.#host.status("info", this.#urn, "");
    }

    #once(key: string, show: () => void): void {
        if (!this.#shown.has(key)) {
            this.#shown.add(key);
            show();
        }
    }
}
