import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Configs, filesOf, writeFiles } from "./chart";
import { Daemon } from "./daemon";

/**
 * Writes Alertmanager's configuration for other folders than its pod's.
 *
 * @param heartbeat URL of what hears that all is well
 * @returns the path of the configuration
 */
export function writeAlertmanager(configs: Configs, here: string, heartbeat = "http://127.0.0.1:1"): string {
    const secrets = join(here, "secrets");
    mkdirSync(secrets, { recursive: true });
    writeFileSync(join(secrets, "heartbeat-url"), heartbeat);
    writeFiles(configs, "messages", join(here, "messages"));
    const file = join(here, "alertmanager.yaml");
    const text = filesOf(configs, "alertmanager")["alertmanager.yaml"] ?? "";
    writeFileSync(
        file,
        text.replaceAll("/run/secrets/alertmanager", secrets).replaceAll("/etc/messages", join(here, "messages")),
    );
    return file;
}

/**
 * Runs Alertmanager with the chart's configuration.
 *
 * @param here its folder @param port of loopback that it listens on @param heartbeat URL of the heartbeat's receiver
 * @throws with its log, when it ends or does not answer in time
 */
export async function runAlertmanager(
    configs: Configs,
    here: string,
    port: number,
    heartbeat?: string,
): Promise<Daemon> {
    return Daemon.start(
        "alertmanager",
        [
            `--config.file=${writeAlertmanager(configs, here, heartbeat)}`,
            `--storage.path=${join(here, "alertmanager")}`,
            "--cluster.listen-address=",
            `--web.listen-address=127.0.0.1:${port}`,
        ],
        here,
        `http://127.0.0.1:${port}/-/ready`,
    );
}
