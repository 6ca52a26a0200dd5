import { shortened, visible } from "../lib/characters";
import { shellQuote } from "../lib/shell";

/** The project's namespace in a stack's config. */
const namespace = "hearth";

/** Where a stack's config holds secrets; "*" stands for any key. */
const secretPaths: readonly (readonly string[])[] = [
    ["gitea", "password"],
    ["identity", "agentToken"],
    ["identity", "serverToken"],
    ["k3s", "snapshots", "s3", "secretKey"],
    ["kubeconfig"],
    ["registries", "*", "password"],
    ["secrets", "*", "*"],
    ["ssh", "privateKey"],
    ["storage", "passphrase"],
];

/** Settings that are secret, or hold one. No message shows their values, encrypted or not. */
export const secretSettings: ReadonlySet<string> = new Set(secretPaths.map(([first = ""]) => first));

/** Whether the value at a path of keys is a secret; the first key may have the project's namespace. */
export function isSecretPath(path: readonly PropertyKey[]): boolean {
    const keys = path.map((key, index) => (index === 0 ? String(key).replace(/^hearth:/, "") : String(key)));
    return secretPaths.some(
        (each) => each.length === keys.length && each.every((key, index) => key === "*" || key === keys[index]),
    );
}

/** Whether an unquoted text at a path of keys is a secret: an unquoted hearth:kubeconfig is a path. */
export function isSecretText(path: readonly PropertyKey[]): boolean {
    return path.length > 1 && isSecretPath(path);
}

/** Whether a text holds a private key, the password in a URL or a kubeconfig's credentials, wherever somebody put it. */
export function looksSecret(text: string): boolean {
    return /PRIVATE KEY|PuTTY-User-Key-File|client-key-data|AGE-SECRET-KEY-|"?(token|password)"?\s*:|:\/\/[^/\s]+@/.test(
        text,
    );
}

/** A path of keys as Pulumi and jq write it: `secrets.traefik["tls.crt"][0]`. */
export function dottedPath(path: readonly PropertyKey[]): string {
    const parts = path.map((part) =>
        typeof part === "number"
            ? `[${part}]`
            : /^[\w-]{1,63}$/.test(String(part))
              ? `.${String(part)}`
              : `[${visible(JSON.stringify(shortened(String(part))))}]`,
    );
    return parts.join("").replace(/^\./, "");
}

/** A path in a stack's config as `pulumi config set --path` takes it. */
export function configPath(path: readonly PropertyKey[]): string {
    return `${namespace}:${dottedPath(path)}`;
}

/**
 * The command that sets a value of a stack's config. A secret is read from standard input, never from an argument.
 *
 * @param value a value that is not secret; a placeholder if left out
 */
export function setCommand(stack: string, path: readonly PropertyKey[], value = "<value>"): string {
    const command = `pulumi config set --stack ${stack}`;
    const quoted = shellQuote(configPath(path));
    if (!isSecretPath(path)) {
        return `${command} --path ${quoted} ${value}`;
    }
    const file = { kubeconfig: " < kubeconfig.yaml", privateKey: " < ~/.ssh/<key>" }[String(path.at(-1))] ?? "";
    return `${command} --secret --path ${quoted}${file}`;
}

/** The command that removes a value of a stack's config. */
export function removeCommand(stack: string, path: readonly PropertyKey[]): string {
    return `pulumi config rm --stack ${stack} --path ${shellQuote(configPath(path))}`;
}
