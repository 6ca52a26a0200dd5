import { randomBytes } from "node:crypto";
import { piWords } from "./pi";

const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const rounds = 16;
/** Bytes of a password that count; the one after them is the end of the string. */
const longestPassword = 72;

let initial: Int32Array | undefined;

/** Blowfish with bcrypt's expensive key schedule. The first 18 words are the subkeys, the rest the four S-boxes. */
class Blowfish {
    readonly #words: Int32Array;
    readonly #block = new Int32Array(2);

    constructor() {
        initial ??= piWords(rounds + 2 + 4 * 256);
        this.#words = Int32Array.from(initial);
    }

    encrypt(block: Int32Array): void {
        const words = this.#words;
        let left = block[0] as number;
        let right = block[1] as number;
        for (let round = 0; round < rounds; round += 2) {
            left ^= words[round] as number;
            right ^= mix(words, left);
            right ^= words[round + 1] as number;
            left ^= mix(words, right);
        }
        block[0] = right ^ (words[rounds + 1] as number);
        block[1] = left ^ (words[rounds] as number);
    }

    expand(key: Int32Array, salt: Int32Array): void {
        const words = this.#words;
        for (let index = 0; index < rounds + 2; index++) {
            words[index] = (words[index] as number) ^ (key[index] as number);
        }
        const block = this.#block.fill(0);
        for (let index = 0; index < words.length; index += 2) {
            block[0] = (block[0] as number) ^ (salt[index & 3] as number);
            block[1] = (block[1] as number) ^ (salt[(index + 1) & 3] as number);
            this.encrypt(block);
            words[index] = block[0] as number;
            words[index + 1] = block[1] as number;
        }
    }
}

function mix(words: Int32Array, value: number): number {
    const first = (words[18 + (value >>> 24)] as number) + (words[274 + ((value >>> 16) & 255)] as number);
    return ((first ^ (words[530 + ((value >>> 8) & 255)] as number)) + (words[786 + (value & 255)] as number)) | 0;
}

/** The bytes of a key, repeated to fill the subkeys. */
function keyWords(key: Buffer): Int32Array {
    const repeated = Buffer.alloc((rounds + 2) * 4, key);
    return Int32Array.from({ length: rounds + 2 }, (_, index) => repeated.readInt32BE(index * 4));
}

function encode(bytes: Buffer): string {
    return bytes
        .toString("base64")
        .replace(/=+$/, "")
        .replace(/./g, (digit) => alphabet[standard.indexOf(digit)] ?? "");
}

/**
 * Hashes a password as bcrypt does, version 2a.
 *
 * @param cost logarithm of the number of rounds, between 4 and 31
 * @param salt 16 bytes; random ones unless given
 */
export function bcrypt(password: string, cost = 10, salt: Buffer = randomBytes(16)): string {
    const key = keyWords(Buffer.from(`${password}\0`).subarray(0, longestPassword));
    const saltWords = Int32Array.from({ length: 4 }, (_, index) => salt.readInt32BE(index * 4));
    const saltAsKey = keyWords(salt);
    const none = new Int32Array(4);
    const blowfish = new Blowfish();
    blowfish.expand(key, saltWords);
    for (let round = 0; round < 2 ** cost; round++) {
        blowfish.expand(key, none);
        blowfish.expand(saltAsKey, none);
    }
    const text = Buffer.from("OrpheanBeholderScryDoubt");
    const block = new Int32Array(2);
    for (let offset = 0; offset < text.length; offset += 8) {
        block[0] = text.readInt32BE(offset);
        block[1] = text.readInt32BE(offset + 4);
        for (let pass = 0; pass < 64; pass++) {
            blowfish.encrypt(block);
        }
        text.writeInt32BE(block[0] as number, offset);
        text.writeInt32BE(block[1] as number, offset + 4);
    }
    // The last byte is left out, as ever.
    return `$2a$${String(cost).padStart(2, "0")}$${encode(salt)}${encode(text.subarray(0, 23))}`;
}
