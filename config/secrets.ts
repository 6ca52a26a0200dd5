import { shortened, visible } from "../lib/characters";
import { shellQuote } from "../lib/shell";

/** The project's namespace in a stack's config. */
const namespace = "hearth";

/** Paths of the secrets in a stack's config, by their keys; "*" stands for any key. */
export const secretPaths: readonly (readonly string[])[] = [
    ["backup", "password"],
    ["backup", "rest", "password"],
    ["backup", "s3", "secretKey"],
    ["backup", "sftp", "privateKey"],
    ["backup", "second", "rest", "password"],
    ["backup", "second", "s3", "secretKey"],
    ["backup", "second", "sftp", "privateKey"],
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

/**
 * Paths of accounts, where people sometimes write the password that belongs next to them: not shown, though not secret.
 */
export const accountPaths: readonly (readonly string[])[] = [
    ["backup", "rest", "user"],
    ["backup", "s3", "accessKey"],
    ["backup", "second", "rest", "user"],
    ["backup", "second", "s3", "accessKey"],
    ["gitea", "administrator"],
    ["k3s", "snapshots", "s3", "accessKey"],
    ["registries", "*", "username"],
];

/** A path as strings, without the project's namespace at its first key. */
const plainKeys = (path: readonly PropertyKey[]) =>
    path.map((key, index) => (index === 0 ? String(key).replace(/^hearth:/, "") : String(key)));

/**
 * Relation of a value to the secrets of a document: a secret or a part of one, an object that contains one, or neither.
 */
export function secrecyOf(
    path: readonly PropertyKey[],
    secrets: readonly (readonly PropertyKey[])[],
): "secret" | "holds one" | undefined {
    const keys = plainKeys(path);
    const related = secrets.filter((each) =>
        each.slice(0, keys.length).every((key, index) => key === "*" || String(key) === keys[index]),
    );
    if (related.length === 0) {
        return undefined;
    }
    return related.some((each) => each.length <= keys.length) ? "secret" : "holds one";
}

/** Reports whether the value at a path of keys is a secret; the first key may have the project's namespace. */
export function isSecretPath(path: readonly PropertyKey[]): boolean {
    return secretPaths.some((each) => each.length === path.length && secrecyOf(path, [each]) === "secret");
}

/** Reports whether an unquoted string at a path of keys is a secret: an unquoted hearth:kubeconfig is a path. */
export function isSecretText(path: readonly PropertyKey[]): boolean {
    return path.length > 1 && isSecretPath(path);
}

/** Forms of secrets: keys and kubeconfigs, URLs with a password or a token, tokens with their issuer's prefix, WireGuard's keys. */
const secretForms = [
    /PRIVATE KEY|PuTTY-User-Key-File|client-key-data|AGE-SECRET-KEY-|"?(token|password)"?\s*:/,
    /:\/\/[^/\s]+@|[?&](access_|api_?)?(token|key|secret|password|pwd|sig)=/i,
    /\b(gh[opsur]_|github_pat_|glpat-|xox[abeprs]-|dckr_pat_|tskey-|hf_|npm_)[\w-]{10}|\bAKIA[A-Z0-9]{12}|\beyJ[\w-]{8,}/,
    /^[A-Za-z0-9+/]{43}=$/,
];

/** Reports whether a string has the form of a secret, wherever it is. */
export function looksSecret(text: string): boolean {
    return secretForms.some((form) => form.test(text));
}

/** Letters, digits and separators as in names of secrets, and rarely in passwords and keys. */
const keyName = /^(?=.{1,40}$)\d{0,3}[A-Za-z]+\d{0,5}([._-](\d{0,3}[A-Za-z]+\d{0,5}|\d{1,3}))*$/;

/** Random characters: letters of both cases and digits, or many hexadecimal digits. */
const random = /^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[\w+/=-]{10,}$|^[0-9a-fA-F]{24,}$/;

/**
 * Reports whether a key of a path looks like a secret in place of its name. Among secrets, that is every key that is
 * not a valid name.
 */
function looksLikeSecretKey(path: readonly PropertyKey[], index: number): boolean {
    const key = String(path[index]);
    const [first, ...above] = plainKeys(path.slice(0, index));
    // Rotations have the names of secrets; registries are host names.
    const isAmongSecrets =
        first === "rotations" ||
        (first !== undefined && first !== "registries" && secrecyOf([first, ...above], secretPaths) !== undefined);
    return looksSecret(key) || random.test(key) || (isAmongSecrets && !keyName.test(key));
}

/** Reports whether every key of a path may be printed. */
const isShown = (path: readonly PropertyKey[]) =>
    path.every((part, index) => typeof part === "number" || !looksLikeSecretKey(path, index));

/** A path of keys as Pulumi and jq write it: `secrets.traefik["tls.crt"][0]`. A key that looks like a secret is left out. */
export function dottedPath(path: readonly PropertyKey[]): string {
    const parts = path.map((part, index) =>
        typeof part !== "number" && looksLikeSecretKey(path, index)
            ? ".<a key that looks like a secret>"
            : typeof part === "number"
              ? `[${part}]`
              : /^[\w-]{1,63}$/.test(String(part))
                ? `.${String(part)}`
                : `[${visible(JSON.stringify(shortened(String(part))))}]`,
    );
    return parts.join("").replace(/^\./, "");
}

/** A path in a stack's config as `pulumi config set --path` takes it. */
export function configPath(path: readonly PropertyKey[]): string {
    return path.length === 0 ? "config" : `${namespace}:${dottedPath(path)}`;
}

/** Advice where a command would repeat a key that looks like a secret. */
const byHand = (stack: string) =>
    `remove that key from the file of stack ${stack}, which has it in plain text, and replace the secret`;

/**
 * The command that sets a value of a stack's config. A secret is read from standard input, never from an argument.
 *
 * @param value a value that is not secret; a placeholder if left out
 */
export function setCommand(stack: string, path: readonly PropertyKey[], value = "<value>"): string {
    if (!isShown(path)) {
        return byHand(stack);
    }
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
    if (!isShown(path)) {
        return byHand(stack);
    }
    return `pulumi config rm --stack ${stack} --path ${shellQuote(configPath(path))}`;
}
