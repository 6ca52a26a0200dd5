import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { drawScreen } from "../../../docs/recording/draw";
import { screenOf } from "../../../docs/recording/screen";

const root = resolve(__dirname, "../../..");

test("a picture of a terminal shows its final content, in its colors", async () => {
    const output = "waiting …\r\u001b[2Kname     \u001b[32mSynced\u001b[39m  <a & b>\r\n\u001b[1mdone\u001b[22m";
    const lines = await screenOf(output, 40, 5);

    expect(lines).toEqual([
        [
            { text: "name", column: 0, color: undefined, bold: false },
            { text: "Synced", column: 9, color: 2, bold: false },
            { text: "  <a & b>", column: 15, color: undefined, bold: false },
        ],
        [{ text: "done", column: 0, color: undefined, bold: true }],
    ]);
    const picture = drawScreen(lines, "a test", 40);
    expect(picture).toContain('fill="#3fb950">Synced</text>');
    expect(picture).toContain('x="152" y="29" textLength="56">&lt;a &amp; b&gt;</text>');
    expect(picture).not.toContain("waiting");
});

test("lines that have scrolled out of the terminal are not in the picture", async () => {
    const lines = await screenOf("one\r\ntwo\r\nthree", 10, 2);

    expect(lines.map((line) => line.map(({ text }) => text))).toEqual([["two"], ["three"]]);
});

test("the picture of `npm start` has every service of the home (`npm run recording` draws it again)", () => {
    const picture = readFileSync(join(root, "docs/start.svg"), "utf8");
    const shown = new Set([...picture.matchAll(/>([^<]*)<\/text>/g)].flatMap(([, text = ""]) => text.split(/\s+/)));
    const services = readdirSync(join(root, "clusters/home/apps")).map((name) => name.replace(/\.yaml$/, ""));

    expect(services.filter((name) => !shown.has(name))).toEqual([]);
});
