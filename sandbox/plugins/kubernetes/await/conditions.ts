import type { Properties } from "../../shared/values";
import { annotationOf, at, generationOf, listAt, numberAt, stringAt } from "../objects";
import type { Display } from "./display";
import { evaluate, formatExpression, parseExpression } from "./expression";

/** Whether an object is as it has to be. It may throw when that can never be known. */
export type Condition = (object: Properties, display: Display) => boolean;

function jsonPathCondition(text: string): Condition {
    const expression = parseExpression(text);
    const shown = formatExpression(expression);
    return (object, display) => {
        const observed = numberAt(object, "status", "observedGeneration");
        if (observed !== undefined && observed < generationOf(object)) {
            return false;
        }
        const { matched, found, message } = evaluate(expression, object);
        const waiting = `Waiting for ${shown}${found ? ` (found ${JSON.stringify(found)})` : ""}`;
        display.status("info", matched ? `Found ${shown}` : (message ?? waiting));
        return matched;
    };
}

function statusCondition(text: string): Condition {
    const [, type = "", wanted = "True"] = /^([^=]*)(?:=(.*))?$/s.exec(text.slice("condition=".length)) ?? [];
    const same = (left: string, right: string) => left.toLowerCase() === right.toLowerCase();
    return (object, display) => {
        if (!Array.isArray(at(object, "status", "conditions"))) {
            display.status("warning", "Has no .status.conditions");
            return false;
        }
        const condition = listAt(object, "status", "conditions").find((each) => same(stringAt(each, "type"), type));
        const status = stringAt(condition, "status");
        if (status === "") {
            return false;
        }
        const observed =
            numberAt(condition, "observedGeneration") ?? numberAt(object, "status", "observedGeneration") ?? Infinity;
        if (observed < generationOf(object)) {
            display.status("info", `Generation ${observed} is less than expected ${generationOf(object)}`);
            return false;
        }
        if (!same(status, wanted)) {
            display.status("info", `Resource has condition ${type}=${status} (want ${wanted})`);
        }
        return same(status, wanted);
    };
}

function stringList(text: string): readonly string[] {
    try {
        const parsed: unknown = JSON.parse(text);
        if (Array.isArray(parsed) && parsed.every((each) => typeof each === "string")) {
            return parsed;
        }
    } catch {
        // Not JSON: a single expression.
    }
    return [text];
}

/**
 * What the annotation pulumi.com/waitFor asks for, or undefined when the object has none: one expression, or a JSON
 * array of expressions that all have to hold.
 *
 * @throws Error when an expression is malformed
 */
export function waitForCondition(object: Properties): Condition | undefined {
    const annotation = annotationOf(object, "pulumi.com/waitFor");
    if (annotation === "") {
        return undefined;
    }
    const expressions = stringList(annotation);
    if (expressions.length === 0) {
        throw new Error("at least one condition must be specified");
    }
    const conditions = expressions.map((expression) => {
        if (expression.startsWith("jsonpath=")) {
            return jsonPathCondition(expression);
        }
        if (expression.startsWith("condition=")) {
            return statusCondition(expression);
        }
        throw new Error(`expected a "jsonpath=" or "condition=" prefix, got ${JSON.stringify(expression)}`);
    });
    return (live, display) => conditions.every((condition) => condition(live, display));
}
