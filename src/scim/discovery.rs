//! What the server says about itself. RFC 7643 sections 5 to 7, RFC 7644 section 4.
//!
//! The documents are generated from the definitions that requests are read by.

use serde_json::{Map, Value, json};

use super::list::list_response;
use super::meta::Meta;
use super::schema::{Attribute, ResourceSchema, SERVED_GROUP, SERVED_USER, Schema, Type};

/// The schema URN of the service provider's configuration.
pub const CONFIG_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// The schema URN of a resource type.
pub const RESOURCE_TYPE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// The schema URN of a schema.
pub const SCHEMA_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// Limits of bulk requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkLimits {
    /// How many operations one request may have.
    pub max_operations: u64,
    /// How many bytes one request may have.
    pub max_payload_size: u64,
}

/// Cursor paging. RFC 9865 section 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorPaging {
    /// How many results a page has when the client does not say.
    pub default_page_size: u64,
    /// How many results a page may have.
    pub max_page_size: u64,
    /// For how many seconds a cursor is good; `None` if for ever.
    pub timeout_seconds: Option<u64>,
}

/// What the server can do; PATCH and filters always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// How many results one answer may have.
    pub max_results: u64,
    /// Bulk requests, if there are any.
    pub bulk: Option<BulkLimits>,
    /// Whether results can be sorted.
    pub sort: bool,
    /// Whether resources have entity tags.
    pub etag: bool,
    /// Whether passwords can be changed.
    pub change_password: bool,
    /// Cursor paging, if there is any.
    pub cursor: Option<CursorPaging>,
}

/// The kinds of resource, User first: some clients look at the first only.
pub static RESOURCES: [&ResourceSchema; 2] = [&SERVED_USER, &SERVED_GROUP];

/// The document at `/ServiceProviderConfig`. RFC 7643 section 5.
pub fn service_provider_config(base_url: &str, capabilities: &Capabilities) -> Value {
    let bulk = capabilities.bulk.unwrap_or(BulkLimits {
        max_operations: 0,
        max_payload_size: 0,
    });
    let mut config = json!({
        "schemas": [CONFIG_URN],
        "patch": {"supported": true},
        "bulk": {
            "supported": capabilities.bulk.is_some(),
            "maxOperations": bulk.max_operations,
            "maxPayloadSize": bulk.max_payload_size,
        },
        "filter": {"supported": true, "maxResults": capabilities.max_results},
        "changePassword": {"supported": capabilities.change_password},
        "sort": {"supported": capabilities.sort},
        "etag": {"supported": capabilities.etag},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The bridge's bearer token in the Authorization header",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": meta("ServiceProviderConfig", location(base_url, &["ServiceProviderConfig"])),
    });
    if let (Some(cursor), Some(members)) = (capabilities.cursor, config.as_object_mut()) {
        let mut pagination = json!({
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": cursor.default_page_size,
            "maxPageSize": cursor.max_page_size,
        });
        if let (Some(seconds), Some(parts)) = (cursor.timeout_seconds, pagination.as_object_mut()) {
            parts.insert("cursorTimeout".to_owned(), Value::from(seconds));
        }
        members.insert("pagination".to_owned(), pagination);
    }
    config
}

/// The list at `/ResourceTypes`.
pub fn resource_types(base_url: &str) -> Value {
    everything(
        RESOURCES
            .iter()
            .map(|resource| type_document(base_url, resource))
            .collect(),
    )
}

/// The document at `/ResourceTypes/{name}`. RFC 7643 section 6.
pub fn resource_type(base_url: &str, name: &str) -> Option<Value> {
    RESOURCES
        .iter()
        .find(|resource| resource.name == name)
        .map(|resource| type_document(base_url, resource))
}

/// The list at `/Schemas`.
pub fn schemas(base_url: &str) -> Value {
    everything(
        served_schemas()
            .map(|schema| schema_document(base_url, schema))
            .collect(),
    )
}

/// The document at `/Schemas/{urn}`. RFC 7643 section 7.
pub fn schema(base_url: &str, urn: &str) -> Option<Value> {
    served_schemas()
        .find(|schema| schema.urn.eq_ignore_ascii_case(urn))
        .map(|schema| schema_document(base_url, schema))
}

fn served_schemas() -> impl Iterator<Item = &'static Schema> {
    RESOURCES.iter().flat_map(|resource| {
        std::iter::once(resource.core).chain(resource.extensions.iter().copied())
    })
}

/// Discovery lists are never cut into pages. RFC 7644 section 4.
fn everything(documents: Vec<Value>) -> Value {
    let total = u64::try_from(documents.len()).unwrap_or(u64::MAX);
    list_response(documents, total, 1)
}

fn type_document(base_url: &str, resource: &ResourceSchema) -> Value {
    let extensions: Vec<Value> = resource
        .extensions
        .iter()
        .map(|schema| json!({"schema": schema.urn, "required": false}))
        .collect();
    json!({
        "schemas": [RESOURCE_TYPE_URN],
        "id": resource.name,
        "name": resource.name,
        "description": resource.description,
        "endpoint": resource.endpoint,
        "schema": resource.core.urn,
        "schemaExtensions": extensions,
        "meta": meta("ResourceType", location(base_url, &["ResourceTypes", resource.name])),
    })
}

fn schema_document(base_url: &str, schema: &Schema) -> Value {
    json!({
        "schemas": [SCHEMA_URN],
        "id": schema.urn,
        "name": schema.name,
        "description": schema.description,
        "attributes": schema.attributes.iter().map(attribute_document).collect::<Vec<_>>(),
        "meta": meta("Schema", location(base_url, &["Schemas", schema.urn])),
    })
}

fn attribute_document(attribute: &Attribute) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    put("name", Value::from(attribute.name));
    put("type", Value::from(attribute.kind.as_str()));
    put("multiValued", Value::from(attribute.multi_valued));
    put("description", Value::from(attribute.description));
    put("required", Value::from(attribute.required));
    put("mutability", Value::from(attribute.mutability.as_str()));
    put("returned", Value::from(attribute.returned.as_str()));
    // RFC 7643 section 7: case and uniqueness say nothing about a Boolean or an object.
    if !matches!(attribute.kind, Type::Boolean | Type::Complex) {
        put("caseExact", Value::from(attribute.case_exact));
    }
    put("uniqueness", Value::from(attribute.uniqueness.as_str()));
    if !attribute.canonical_values.is_empty() {
        put("canonicalValues", Value::from(attribute.canonical_values));
    }
    if !attribute.reference_types.is_empty() {
        put("referenceTypes", Value::from(attribute.reference_types));
    }
    if !attribute.sub_attributes.is_empty() {
        put(
            "subAttributes",
            attribute
                .sub_attributes
                .iter()
                .map(attribute_document)
                .collect(),
        );
    }
    Value::Object(members)
}

fn meta(resource_type: &'static str, location: String) -> Value {
    Meta {
        resource_type,
        created: None,
        last_modified: None,
        location,
        version: None,
    }
    .to_value()
}

fn location(base_url: &str, segments: &[&str]) -> String {
    let mut url = base_url.trim_end_matches('/').to_owned();
    for segment in segments {
        url.push('/');
        url.push_str(segment);
    }
    url
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::schema::{GROUP_URN, USER_URN};
    use super::*;

    const BASE: &str = "https://b.example/scim/v2";

    const ALL: Capabilities = Capabilities {
        max_results: 100,
        bulk: None,
        sort: true,
        etag: false,
        change_password: false,
        cursor: Some(CursorPaging {
            default_page_size: 100,
            max_page_size: 200,
            timeout_seconds: Some(60),
        }),
    };

    #[test]
    fn the_configuration_says_what_is_so() {
        let config = service_provider_config(BASE, &ALL);
        assert_eq!(config["patch"]["supported"], true);
        assert_eq!(
            config["bulk"],
            json!({"supported": false, "maxOperations": 0, "maxPayloadSize": 0})
        );
        assert_eq!(config["filter"]["maxResults"], 100);
        assert_eq!(config["sort"]["supported"], true);
        assert_eq!(config["pagination"]["cursorTimeout"], 60);
        assert_eq!(config["meta"]["resourceType"], "ServiceProviderConfig");
        assert_eq!(
            config["meta"]["location"],
            format!("{BASE}/ServiceProviderConfig")
        );
        let without = service_provider_config(
            BASE,
            &Capabilities {
                cursor: None,
                ..ALL
            },
        );
        assert!(without.get("pagination").is_none());
    }

    #[test]
    fn user_comes_first() {
        let types = resource_types(BASE);
        assert_eq!(types["startIndex"], 1);
        assert_eq!(types["totalResults"], 2);
        assert_eq!(types["Resources"][0]["name"], "User");
        assert_eq!(types["Resources"][0]["endpoint"], "/Users");
        assert_eq!(resource_type(BASE, "Group").unwrap()["schema"], GROUP_URN);
        assert!(resource_type(BASE, "Nobody").is_none());
    }

    #[test]
    fn schemas_show_what_is_served() {
        let user = schema(BASE, USER_URN).unwrap();
        let names: Vec<_> = user["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["name"].as_str().unwrap())
            .collect();
        assert!(names.contains(&"active") && names.contains(&"displayName"));
        assert!(!names.contains(&"title") && !names.contains(&"password"));
        assert_eq!(schemas(BASE)["Resources"][0]["id"], USER_URN);
        assert_eq!(schemas(BASE)["Resources"][1]["id"], GROUP_URN);
        assert_eq!(
            user["meta"]["location"],
            format!("{BASE}/Schemas/{USER_URN}")
        );
    }

    #[test]
    fn every_served_attribute_is_described() {
        fn check(attribute: &Attribute) {
            assert!(!attribute.description.is_empty(), "{}", attribute.name);
            attribute.sub_attributes.iter().for_each(check);
        }
        for resource in RESOURCES {
            resource
                .shared
                .iter()
                .chain(resource.core.attributes)
                .for_each(check);
        }
    }
}
