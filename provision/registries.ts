import type { RegistrySettings } from "../config/nodes";
import type { Settings } from "../config/schema";
import { toYaml } from "../config/yaml";

/**
 * Registries of a home: its settings, and the home's own Gitea with the account that its chart creates for nodes. Its
 * password has to be in the stack's config, since nodes precede all generated values: `npm run secrets -- keep` writes
 * it there.
 */
export function homeRegistries({
    domain,
    ownGitea,
    registries,
    secrets,
}: Pick<Settings, "domain" | "ownGitea" | "registries" | "secrets">): RegistrySettings {
    const password = secrets["gitops"]?.["registry-password"];
    const gitea = { [`git.${domain}`]: { mirrors: [], rewrite: {}, username: "nodes", password } };
    return { ...(ownGitea && password !== undefined ? gitea : {}), ...registries };
}

/** Folder of the certificate authorities on a node. */
const folder = "/etc/rancher/k3s/registries";

/** Name of the file with a registry's certificate authority: `:` and `*` of a host have another meaning in paths. */
const caFile = (host: string) => `${host.replaceAll(/[^A-Za-z0-9.-]/g, "_")}.crt`;

/** Text of /etc/rancher/k3s/registries.yaml; empty without registries. Source: https://docs.k3s.io/installation/private-registry */
export function registriesText(registries: RegistrySettings): string {
    const mirrors = Object.entries(registries).map(([host, { mirrors: endpoint, rewrite }]) => [
        host,
        {
            ...(endpoint.length > 0 ? { endpoint } : {}),
            ...(Object.keys(rewrite).length > 0 ? { rewrite } : {}),
        },
    ]);
    const configs = Object.entries(registries).flatMap(([host, { username, password, ca }]) => {
        const auth = username === undefined && password === undefined ? {} : { auth: { username, password } };
        const tls = ca === undefined ? {} : { tls: { ca_file: `${folder}/${caFile(host)}` } };
        const config = { ...auth, ...tls };
        return Object.keys(config).length > 0 ? [[host, config]] : [];
    });
    return mirrors.length === 0
        ? ""
        : toYaml({
              mirrors: Object.fromEntries(mirrors),
              ...(configs.length > 0 ? { configs: Object.fromEntries(configs) } : {}),
          });
}

/** Files with certificate authorities as k3s.sh reads them: a line each, with the file's name and its text in base64. */
export function registryAuthorities(registries: RegistrySettings): string {
    return Object.entries(registries)
        .flatMap(([host, { ca }]) => (ca === undefined ? [] : `${caFile(host)} ${Buffer.from(ca).toString("base64")}`))
        .join("\n");
}
