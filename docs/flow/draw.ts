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

/** What a box says of a part: its components or Applications by name, of anything else how many there are. */
function contents({ name: part, children }: Part): string[] {
    const named = children.filter(
        ({ name, type }) => type.startsWith("hearth:") || (type.endsWith(":Application") && name !== part),
    );
    if (named.length > 0) {
        return lines(named.map(({ name }) => name));
    }
    const secrets = children.filter(({ type }) => type === "kubernetes:core/v1:Secret").length;
    return secrets > 1 ? [`${secrets} Secrets, one for each chart that needs one`] : [];
}

/** What each part is for; the parts themselves, their contents and their order come from the program. */
const captions: Readonly<Record<string, string>> = {
    "hearth:provision:Nodes": "machines become a k3s cluster, over SSH",
    "hearth:components:System": "Helm releases and what they need",
    "hearth:components:Secrets": "from the stack's encrypted config, or generated",
    "hearth:components:GitSource": "the monorepo, made known to Argo CD",
    "hearth:components:Tier": "each Synced, Healthy and on the pushed revision",
    "hearth:components:RootApplication": "from here on, Argo CD keeps what is in Git",
};

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
    return picture.replace(/(<g id="node\d+" class="node">[\s\S]*?<text )/g, '$1font-weight="bold" ');
}
