import { resolve } from "node:path";
import ts from "typescript";

/**
 * Grafana's own types of a dashboard, for JSON: an enumeration is its values, and every panel has the queries and options of
 * its kind. Queries to Prometheus have no type in Grafana's package.
 */
const declarations = `
import type { Dashboard, DataQuery, Panel } from "@grafana/schema";
import type { LokiDataQuery } from "@grafana/schema/dist/types/raw/composable/loki/dataquery/x/LokiDataQuery_types.gen.d.ts";
import type { Options as Logs } from "@grafana/schema/dist/types/raw/composable/logs/panelcfg/x/LogsPanelCfg_types.gen.d.ts";
import type { Options as Stat } from "@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts";
import type { Options as Table } from "@grafana/schema/dist/types/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts";
import type { Options as TimeSeries } from "@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts";

type Json<T> = T extends string ? \`\${T}\` : T extends object ? { [Key in keyof T]: Json<T[Key]> } : T;
interface PrometheusQuery extends DataQuery {
    expr: string;
    legendFormat?: string;
    instant?: boolean;
    format?: "time_series" | "table" | "heatmap";
}
interface PanelOf<Type, Query, Options> extends Omit<Panel, "type" | "targets" | "options"> {
    type: Type;
    targets: Query[];
    options: Partial<Options>;
}
type AnyPanel =
    | PanelOf<"logs", LokiDataQuery, Logs>
    | PanelOf<"stat", PrometheusQuery, Stat>
    | PanelOf<"table", PrometheusQuery, Table>
    | PanelOf<"timeseries", PrometheusQuery, TimeSeries>;
interface AnyDashboard extends Omit<Dashboard, "panels"> {
    panels: AnyPanel[];
}
`;

/** Path from which the types are resolved: the file itself is never written. */
const path = resolve(__dirname, "dashboard-schema.generated.ts");

/**
 * Errors of TypeScript's compiler in dashboards, by Grafana's own types.
 *
 * @param dashboards name → JSON
 */
export function mistakesIn(dashboards: Readonly<Record<string, string>>): string[] {
    const text = [
        declarations,
        ...Object.values(dashboards).map((json) => `({ value: ${json} }) satisfies { value: Json<AnyDashboard> };`),
    ].join("\n");
    const options: ts.CompilerOptions = {
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        types: [],
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.Node16,
        moduleResolution: ts.ModuleResolutionKind.Node16,
    };
    const host = ts.createCompilerHost(options);
    const { getSourceFile, fileExists } = host;
    host.fileExists = (file) => file === path || fileExists(file);
    host.getSourceFile = (file, language, ...rest) =>
        file === path ? ts.createSourceFile(file, text, language) : getSourceFile(file, language, ...rest);
    const program = ts.createProgram([path], options, host);
    return ts
        .getPreEmitDiagnostics(program)
        .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}
