import type { Properties } from "../shared/values";
import { type GroupVersionKind, stringAt } from "./objects";

/** Renders the definitions that a chart brings. */
export type RenderDefinitions = () => Promise<readonly Properties[]>;

/** Custom kinds that the program defines, itself or by a chart, whether or not the cluster knows them yet. */
export class Definitions {
    readonly #namespaced = new Map<string, boolean>();
    readonly #charts: RenderDefinitions[] = [];
    #rendering: Promise<void> = Promise.resolve();

    /** Remembers a CustomResourceDefinition. */
    add({ spec }: Properties): void {
        const key = `${stringAt(spec, "group")}/${stringAt(spec, "names", "kind")}`;
        this.#namespaced.set(key, stringAt(spec, "scope") === "Namespaced");
    }

    /** Remembers a chart. It is rendered only when somebody asks for a kind that nothing else knows. */
    addChart(render: RenderDefinitions): void {
        this.#charts.push(render);
    }

    /** Whether a kind that was added is namespaced; undefined for others. */
    isNamespaced({ group, kind }: GroupVersionKind): boolean | undefined {
        return this.#namespaced.get(`${group}/${kind}`);
    }

    /** {@link isNamespaced} after a look into the charts, each of which is rendered once. */
    async isNamespacedInCharts(gvk: GroupVersionKind): Promise<boolean | undefined> {
        const charts = this.#charts.splice(0);
        if (charts.length > 0) {
            this.#rendering = Promise.all([this.#rendering, ...charts.map((render) => this.#render(render))]).then(
                () => undefined,
            );
        }
        await this.#rendering;
        return this.isNamespaced(gvk);
    }

    /** A chart that cannot be rendered says nothing here: its release will say why. */
    async #render(render: RenderDefinitions): Promise<void> {
        const definitions = await render().catch(() => []);
        for (const definition of definitions) {
            this.add(definition);
        }
    }
}
