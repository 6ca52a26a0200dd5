import { createPrivateKey } from "node:crypto";
import { isLine, isText } from "../lib/characters";

/** Reads the length-prefixed fields of SSH's formats (RFC 4251). */
class Fields {
    private offset = 0;

    constructor(private readonly bytes: Buffer) {}

    /** @throws RangeError if the bytes end too early */
    number(): number {
        const value = this.bytes.readUInt32BE(this.offset);
        this.offset += 4;
        return value;
    }

    /** @throws RangeError if the bytes end too early */
    field(): Buffer {
        const length = this.number();
        const end = this.offset + length;
        if (end > this.bytes.length) {
            throw new RangeError("cut off");
        }
        const field = this.bytes.subarray(this.offset, end);
        this.offset = end;
        return field;
    }

    get isAtEnd(): boolean {
        return this.offset === this.bytes.length;
    }
}

/** Bytes of each type's key material, if fixed. */
const fields: Readonly<Record<string, number>> = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
};

/** Reports whether the base64 of a public key is complete, and of the type that precedes it. */
function isWhole(type: string, base64: string): boolean {
    const bytes = Buffer.from(base64, "base64");
    if (bytes.toString("base64").replaceAll("=", "") !== base64.replaceAll("=", "")) {
        return false;
    }
    try {
        const reader = new Fields(bytes);
        const named = reader.field().toString();
        const sizes = Array.from({ length: fields[type] ?? 0 }, () => reader.field().length);
        return named === type && sizes.every((size) => size > 0) && reader.isAtEnd;
    } catch {
        return false;
    }
}

const publicKeyLine = /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]+=*)(?: .*)?$/u;

/** The form of a public key, for a message. */
export const publicKeyForm = 'a public key, whole and on one line, for instance "ssh-ed25519 AAAA…"';

/** Reports whether a string is a public key as OpenSSH writes it, with or without a comment. */
export function isPublicKey(text: string): boolean {
    const [, type = "", base64 = ""] = publicKeyLine.exec(text) ?? [];
    return isLine(text) && isWhole(type, base64);
}

/** The form of a host key, for a message. */
export const hostKeyForm =
    'the public host key, for instance "ssh-ed25519 AAAA…" (hack/host-keys prints it, with the fingerprint to compare)';

/** A line of known_hosts or ssh-keyscan: names, or their hash, before the key. */
const namedLine = /^(?:@\S+ )?\S+ ((?:ssh|ecdsa)-\S+ [A-Za-z0-9+/]+=*)(?: .*)?$/;

/**
 * Mistake in a host key, as the expected form; undefined for a valid one.
 *
 * Pulumi's command provider 1.2.1 offers no signature algorithm but the key's type. OpenSSH 8.8 and newer do not sign with
 * ssh-rsa, so a host whose RSA key is pinned cannot be reached.
 */
export function hostKeyMistake(text: string): string | undefined {
    const keys = text.split(/\r?\n/).flatMap((line) => (isPublicKey(line) ? line : (namedLine.exec(line)?.[1] ?? [])));
    const usable = keys.filter((key) => isPublicKey(key) && !key.startsWith("ssh-rsa"));
    const [best = usable[0]] = usable.filter((key) => key.startsWith("ssh-ed25519"));
    if (best !== undefined) {
        return isPublicKey(text) ? undefined : `the key alone, without names or other lines: ${best}`;
    }
    if (keys.some((key) => key.startsWith("ssh-rsa"))) {
        return "the host's Ed25519 key, as OpenSSH 8.8 and newer refuse ssh-rsa here (hack/host-keys <address> prints it)";
    }
    if (/^(SHA256|MD5):|^[0-9a-f]{2}(:[0-9a-f]{2}){15}$/.test(text)) {
        return `the key, not its fingerprint: ${hostKeyForm}`;
    }
    return publicKeyLine.test(text)
        ? `the whole key, and this one is truncated or damaged: ${hostKeyForm}`
        : hostKeyForm;
}

const privateKeyForm = "an OpenSSH or PEM private key, whole, with its BEGIN and END lines";
const withoutPassphrase =
    "a private key without a passphrase (make a copy without one: ssh-keygen -p -f <copy>; or set hearth:ssh.agent: true)";

/** Mistake in the body of a key in OpenSSH's own format (PROTOCOL.key in its sources). */
function openSshMistake(body: string): string | undefined {
    const magic = "openssh-key-v1\0";
    const bytes = Buffer.from(body, "base64");
    if (bytes.subarray(0, magic.length).toString() !== magic) {
        return privateKeyForm;
    }
    try {
        const reader = new Fields(bytes.subarray(magic.length));
        const cipher = reader.field().toString();
        const isEncrypted = reader.field().toString() !== "none" || cipher !== "none";
        reader.field();
        const count = reader.number();
        if (count !== 1) {
            return privateKeyForm;
        }
        reader.field();
        reader.field();
        if (!reader.isAtEnd) {
            return `${privateKeyForm}: this one is damaged`;
        }
        return isEncrypted ? withoutPassphrase : undefined;
    } catch {
        return `${privateKeyForm}: this one is truncated`;
    }
}

/** Mistake in a private key for the nodes, as the expected form; undefined for a valid one. */
export function privateKeyMistake(text: string): string | undefined {
    if (!isText(text)) {
        return privateKeyForm;
    }
    if (publicKeyLine.test(text.trim()) || /^---- BEGIN SSH2 PUBLIC KEY/.test(text)) {
        return "the private key, and this is the public one (the file without .pub)";
    }
    if (/^PuTTY-User-Key-File/.test(text)) {
        return "a key in OpenSSH's format (convert PuTTY's: puttygen <key> -O private-openssh -o <copy>)";
    }
    if (text.includes("\r")) {
        return "a key with Unix line endings (convert it: tr -d '\\r' < <key>)";
    }
    const [, kind, body = ""] =
        /^-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY)-----\n([\s\S]*?)\n-----END \1-----\n*$/.exec(text) ?? [];
    if (kind === undefined) {
        return /^-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----\n/.test(text)
            ? `${privateKeyForm}: this one is truncated`
            : privateKeyForm;
    }
    if (kind === "ENCRYPTED PRIVATE KEY" || /^Proc-Type: 4,ENCRYPTED/m.test(body)) {
        return withoutPassphrase;
    }
    if (kind === "DSA PRIVATE KEY") {
        return "an Ed25519, ECDSA or RSA key: OpenSSH accepts DSA no longer";
    }
    if (kind === "OPENSSH PRIVATE KEY") {
        return openSshMistake(body);
    }
    try {
        createPrivateKey(text);
        return undefined;
    } catch {
        return `${privateKeyForm}: this one is truncated or damaged`;
    }
}
