//! `/api/ws.schema.json`, from the types.

use axum::Json;
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::message::{FromClient, FromHost, Published};
use crate::live::{JobItem, ListChange, OutputChange, OutputState, PauseItem, RunChange};
use crate::watch::{Document, Summary};

/// Of all that is said on `/ws`.
pub async fn schema() -> Json<Value> {
    Json(made())
}

fn made() -> Value {
    let mut defs = Map::new();
    add::<FromClient>(&mut defs);
    add::<FromHost>(&mut defs);
    add::<Published>(&mut defs);
    add::<Document>(&mut defs);
    add::<RunChange>(&mut defs);
    add::<Summary>(&mut defs);
    add::<PauseItem>(&mut defs);
    add::<JobItem>(&mut defs);
    add::<OutputState>(&mut defs);
    add::<OutputChange>(&mut defs);
    add::<ListChange>(&mut defs);
    let list = |name: &str| json!({"type": "array", "items": reference(name)});
    let change = |name: &str| {
        json!({
            "allOf": [
                reference("ListChange"),
                {"properties": {"put": {"items": reference(name)}}},
            ]
        })
    };
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pytest-host /ws",
        "description": "What clients and the host say on the WebSocket /ws; x-topics has what payloads are.",
        "oneOf": [reference("FromClient"), reference("FromHost")],
        "x-topics": {
            "runs": {"snapshot": list("Summary"), "delta": change("Summary")},
            "run/{id}": {"snapshot": reference("Run"), "delta": reference("RunChange")},
            "pauses": {"snapshot": list("PauseItem"), "delta": change("PauseItem")},
            "jobs": {"snapshot": list("JobItem"), "delta": change("JobItem")},
            "job/{id}/output": {"snapshot": reference("OutputState"), "delta": reference("OutputChange")},
            "*": {"snapshot": {"type": "null"}, "delta": reference("Published")},
        },
    });
    rewrite(&mut defs.values_mut().collect::<Vec<_>>());
    if let Some(keys) = schema.as_object_mut() {
        keys.insert("$defs".into(), Value::Object(defs));
    }
    schema
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn add<T: ToSchema + PartialSchema>(defs: &mut Map<String, Value>) {
    let mut all = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut all);
    for (name, schema) in all {
        if let Ok(value) = serde_json::to_value(schema) {
            defs.insert(name, value);
        }
    }
}

/// References are relative to an OpenAPI document.
fn rewrite(values: &mut [&mut Value]) {
    for value in values {
        match value {
            Value::Object(keys) => {
                if let Some(Value::String(to)) = keys.get_mut("$ref") {
                    *to = to.replace("#/components/schemas/", "#/$defs/");
                }
                rewrite(&mut keys.values_mut().collect::<Vec<_>>());
            }
            Value::Array(values) => rewrite(&mut values.iter_mut().collect::<Vec<_>>()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let schema = made();
        let text = schema.to_string();
        for to in text.split("\"#/$defs/").skip(1) {
            let name = to.split('"').next().unwrap();
            assert!(schema["$defs"].get(name).is_some(), "{name}");
        }
        assert!(!text.contains("#/components"));
        assert!(text.contains("test-finished"));
    }
}
