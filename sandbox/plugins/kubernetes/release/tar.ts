import { gunzipSync } from "node:zlib";

const block = 512;

function text(header: Buffer, start: number, length: number): string {
    const field = header.subarray(start, start + length);
    const end = field.indexOf(0);
    return field.subarray(0, end === -1 ? length : end).toString("utf8");
}

/**
 * The first file of a gzipped tar archive whose path matches, or undefined.
 *
 * @param archive the bytes of the .tgz
 */
export function fileInArchive(archive: Buffer, pattern: RegExp): string | undefined {
    const tar = gunzipSync(archive);
    for (let offset = 0; offset + block <= tar.length; ) {
        const header = tar.subarray(offset, offset + block);
        const name = text(header, 0, 100);
        if (name === "") {
            return undefined;
        }
        const size = Number.parseInt(text(header, 124, 12).trim() || "0", 8);
        const prefix = text(header, 345, 155);
        const start = offset + block;
        if (pattern.test(prefix === "" ? name : `${prefix}/${name}`)) {
            return tar.subarray(start, start + size).toString("utf8");
        }
        offset = start + Math.ceil(size / block) * block;
    }
    return undefined;
}
