import { type Configs, filesOf } from "./chart";

/** A query of a panel. */
export interface Target {
    readonly refId: string;
    readonly expr: string;
    readonly datasource: { readonly type: string; readonly uid: string };
}

/** A panel, as Grafana reads it. */
export interface Panel {
    readonly id: number;
    readonly title: string;
    readonly type: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly datasource: { readonly type: string; readonly uid: string };
    readonly targets: readonly Target[];
}

/** A dashboard, as Grafana reads it. */
export interface Dashboard {
    readonly uid: string;
    readonly title: string;
    readonly schemaVersion: number;
    readonly panels: readonly Panel[];
}

/** Every dashboard of the chart. */
export function dashboardsOf(configs: Configs): Dashboard[] {
    return Object.values(filesOf(configs, "dashboards")).map((text) => JSON.parse(text) as Dashboard);
}
