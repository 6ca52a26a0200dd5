import { parse, stringify } from "yaml";

/** Address of a program that Prometheus scrapes, instead of a pod's. */
export type Places = Readonly<Record<string, number>>;

/** Differences from the pod that Prometheus runs in. */
export interface Surroundings {
    /** A kubeconfig with the token of Prometheus' own account. */
    readonly kubeconfig: string;
    /** File of that token. */
    readonly token: string;
    /** File of the cluster's certificate authority. */
    readonly authority: string;
    /** Folder of the rules. */
    readonly rules: string;
    /** Port of Alertmanager on loopback. */
    readonly alertmanager: number;
    /** Ports on loopback, by the label `app` of a target. */
    readonly places: Places;
}

interface ScrapeConfig {
    readonly authorization?: object;
    readonly tls_config?: { readonly ca_file?: string };
    readonly kubernetes_sd_configs: readonly object[];
    readonly relabel_configs: readonly object[];
}

interface PrometheusConfig {
    readonly scrape_configs: readonly ScrapeConfig[];
}

/** An unused port: targets that do not run here are down, and no packet leaves the machine for a pod's address. */
const nowhere = "127.0.0.1:1";

/**
 * The chart's configuration of Prometheus with other addresses, and nothing else: targets are discovered, filtered and
 * labeled by its own rules, then scraped on loopback.
 */
export function adaptedPrometheus(text: string, surroundings: Surroundings): string {
    const { kubeconfig, token, authority, rules, alertmanager, places } = surroundings;
    const config = parse(text, { merge: true }) as PrometheusConfig;
    const elsewhere = [
        { replacement: nowhere, target_label: "__address__" },
        ...Object.entries(places).map(([app, port]) => ({
            source_labels: ["app"],
            regex: app,
            replacement: `127.0.0.1:${port}`,
            target_label: "__address__",
        })),
    ];
    return stringify(
        {
            ...config,
            rule_files: [`${rules}/*.yaml`],
            alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alertmanager}`] }] }] },
            scrape_configs: config.scrape_configs.map((job) => ({
                ...job,
                ...(job.authorization && { authorization: { credentials_file: token } }),
                ...(job.tls_config?.ca_file && { tls_config: { ca_file: authority } }),
                kubernetes_sd_configs: job.kubernetes_sd_configs.map((each) => ({
                    ...each,
                    kubeconfig_file: kubeconfig,
                })),
                relabel_configs: [...job.relabel_configs, ...elsewhere],
            })),
        },
        { aliasDuplicateObjects: false },
    );
}
