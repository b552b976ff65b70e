"""A delivery of raw SNDS files becomes checked, published flat tables.

scan -> plan -> references -> flatten (one task for each product and year, each commits period by period) -> gate ->
publish. A large delivery is read for the first time by Spark (scan), a small one by the plan itself.
A period that is already there for the same files is reused. A slice that fails is one red cell: clear it, and it alone
runs again. The gate publishes all or nothing; studies read only what it let through. The assets `snds/flat/<PRODUCT>`
change only when something new was published.
"""

import logging
from posixpath import basename
from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException
from parcours_airflow.assets import announce, delivery_asset, flat_asset, published_state
from parcours_airflow.defaults import DEFAULT_ARGS, default_delivery, default_root, safe_name
from parcours_airflow.failures import told_to_airflow
from parcours_airflow.forms import checked_params, root_param
from parcours_airflow.links import platform_links
from parcours_airflow.operators import GateJob, ScanJob, SparkJob
from parcours_airflow.slices import reference_arguments, slice_jobs

from parcours.snds.contracts import product_names

log = logging.getLogger(__name__)
PRODUCTS = tuple(product_names())
FLAT_PRODUCTS = tuple(name for name in PRODUCTS if not name.startswith(("IR_", "KI_")))


@task(trigger_rule="none_failed", task_display_name="Plan the slices")
def plan() -> list[dict[str, Any]]:
    """Read the delivery and list the products and years to flatten; says at once what is wrong with the input."""
    from parcours.stages.flatten import plan_flatten

    context = get_current_context()
    with told_to_airflow(context):
        params = checked_params(context)
        periods = plan_flatten(
            params["delivery"], params["root"], params["products"] or None, params["periods"] or None
        )
    common = ["--delivery", params["delivery"], "--root", params["root"]]
    before = {product: published_state(params["root"], product)["fingerprint"] for product in FLAT_PRODUCTS}
    context["ti"].xcom_push(key="references", value=reference_arguments(periods, common))
    context["ti"].xcom_push(key="published_before", value=before)
    return slice_jobs(periods, common, narrowed=bool(params["periods"]))


@task(
    trigger_rule="none_failed",
    task_display_name="List what was published",
    inlets=[delivery_asset()],
    outlets=[flat_asset(product) for product in FLAT_PRODUCTS],
)
def publish() -> dict[str, Any]:
    """Announce the products of which the gate let something new through to the studies that wait for them."""
    context = get_current_context()
    before = context["ti"].xcom_pull(task_ids="plan", key="published_before")
    states = {product: published_state(context["params"]["root"], product) for product in FLAT_PRODUCTS}
    new = {product: state for product, state in states.items() if state["fingerprint"] != before[product]}
    if not new:
        raise AirflowSkipException("Nothing new was published.")
    announce(context, {flat_asset(product): state for product, state in new.items()})
    for product, state in new.items():
        log.info("Published: %s, %d periods.", product, state["periods"])
    return new


def product_list(title: str, description: str, **items: Any) -> Param:
    """A list that may stay empty."""
    schema: dict[str, Any] = {"items": {"type": "string", **items}}
    if "enum" in items:
        schema["examples"] = items["enum"]
    return Param(None, type=["array", "null"], title=title, section="Delivery", description=description, **schema)


with DAG(
    dag_id="snds_flatten",
    dag_display_name="SNDS: raw files to flat tables",
    description="Raw SNDS files to checked, published flat tables",
    doc_md="\n\n".join(filter(None, (platform_links(), __doc__))),
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["parcours", "flatten"],
    default_args=DEFAULT_ARGS,
    user_defined_macros={"safe_name": safe_name},
    user_defined_filters={"basename": basename},
    params={
        "delivery": Param(
            default_delivery(),
            type="string",
            minLength=1,
            title="Delivery",
            section="Delivery",
            description="The folder that holds delivery.yaml, as the machine that runs the jobs sees it.",
        ),
        "products": product_list(
            "Products", "Only these products. Empty: all that were delivered.", enum=list(PRODUCTS)
        ),
        "periods": product_list(
            "Periods",
            "Only these periods: a month as 2016-01, or a year as 2016: all its months of claims. Empty: all.",
            pattern=r"^\d{4}(-(0[1-9]|1[0-2]))?$",
        ),
        "root": root_param(default_root()),
    },
) as dag:
    scan = ScanJob(
        task_id="scan",
        task_display_name="Scan a large delivery",
        job="scan",
        name="flatten · scan · {{ params.delivery | basename }}",
        application_args=[
            *("--delivery", "{{ params.delivery }}", "--root", "{{ params.root }}"),
            *("--products", "{{ (params.products or []) | join(',') }}"),
        ],
    )
    planned = plan()
    scan >> planned
    references = SparkJob(
        task_id="references",
        task_display_name="Flatten referentials",
        job="flatten",
        name="flatten · referentials · {{ params.delivery | basename }}",
        application_args=planned["references"],
    )
    flatten = SparkJob.partial(
        task_id="flatten",
        task_display_name="Flatten a product and year",
        job="flatten",
        trigger_rule="none_failed",
        map_index_template="{{ task.name }}",
    ).expand_kwargs(planned)
    gate = GateJob(
        task_id="gate",
        task_display_name="Quality gate",
        job="quality",
        name="flatten · gate · {{ params.delivery | basename }}",
        trigger_rule="none_failed",
        application_args=["--root", "{{ params.root }}", "--run-name", "{{ safe_name(run_id) }}"],
    )
    references >> flatten >> gate >> publish()
