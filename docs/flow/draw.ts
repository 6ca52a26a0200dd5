import type { Part } from "./graph";

/** Characters in a line of a box. */
const lineLength = 56;

/** Breaks a list of names into lines. */
function lines(names: readonly string[]): string[] {
    const done: string[] = [];
    for (const name of names) {
        const last = done.at(-1);
        if (last !== undefined && last.length + name.length + 2 <= lineLength) {
            done.splice(-1, 1, `${last}, ${name}`);
        } else {
            done.push(name);
        }
    }
    return done;
}

/** Text of a box: a part's components or Applications by name, the number of anything else. */
function contents({ name: part, type, children }: Part): string[] {
    const named = children.filter(
        (child) => child.type.startsWith("hearth:") || (child.type.endsWith(":Application") && child.name !== part),
    );
    if (named.length > 0) {
        return lines(named.map(({ name }) => name));
    }
    const secrets = children.filter((child) => child.type === "kubernetes:core/v1:Secret").length;
    return type === "hearth:components:Secrets" ? [`${secrets} Secrets, one for each chart that needs one`] : [];
}

/** Purpose of each part; the parts themselves, their contents and their order come from the program. */
const captions: Readonly<Record<string, string>> = {
    "hearth:provision:Nodes": "hosts become a k3s cluster, over SSH",
    "hearth:components:System": "Helm releases and their requirements",
    "hearth:components:Secrets": "from the stack's encrypted config, or generated",
    "hearth:components:SecretUsers": "consumers of a changed Secret restart",
    "hearth:components:GitSource": "the monorepo, declared in Argo CD",
    "hearth:components:Tier": "each Synced, Healthy and on the pushed revision",
    "hearth:components:RootApplication": "from here on, Argo CD syncs with Git",
};

/** Graphviz writes colors as attributes, which a rule of CSS overrides where the reader's screen is dark. */
const dark = `<style>@media (prefers-color-scheme: dark) {
[fill="white"] { fill: #0d1117 } [fill="#f6f8fa"] { fill: #161b22 } text { fill: #e6edf3 }
[stroke="#8c959f"] { stroke: #6e7681 } [stroke="#57606a"] { stroke: #9198a1 } [fill="#57606a"] { fill: #9198a1 }
}</style>`;

/** The picture of the program's parts, as SVG. */
export async function drawFlow(parts: readonly Part[]): Promise<string> {
    const { Graphviz } = await import("@hpcc-js/wasm-graphviz");
    const graphviz = await Graphviz.load();
    const boxes = parts.map((part) => {
        const label = [part.name, captions[part.type] ?? "", ...contents(part)];
        return `"${part.name}" [label=${JSON.stringify(label.join("\n"))}]`;
    });
    const arrows = parts.flatMap(({ name, after }) => after.map((before) => `"${before}" -> "${name}"`));
    const picture = graphviz.dot(
        [
            "digraph {",
            'bgcolor="white"; rankdir=TB; nodesep=0.4; ranksep=0.35;',
            // Wide margins: the fonts of a reader may be wider than Graphviz takes them to be.
            'node [shape=box style="rounded,filled" fillcolor="#f6f8fa" color="#8c959f" fontname="Helvetica,Arial,sans-serif" fontsize=11 margin="0.6,0.12"];',
            'edge [color="#57606a" arrowsize=0.7];',
            ...boxes,
            ...arrows,
            "}",
        ].join("\n"),
        "svg",
    );
    return picture
        .replace(/(?=<g id="graph0")/, `${dark}\n`)
        .replace(/(<g id="node\d+" class="node">[\s\S]*?<text )/g, '$1font-weight="bold" ');
}
