"""The trash as a page: what was deleted is brought back, or deleted for good."""

from flask import redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from planimeter.service.api.options.pages import HistoryOptions
from planimeter.service.api.options.parsing import parse
from planimeter.service.api.options.trash import DeletionOptions, EmptyingOptions, TrashOptions
from planimeter.service.api.trash import removed_after, restore_together
from planimeter.service.caller import caller
from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.service.pages.known import known
from planimeter.service.pages.site import blueprint, given
from planimeter.service.roles import needs


@blueprint.get("/trash")
@needs("read")
def trash() -> str:
    """List what was deleted and can be brought back."""
    parts = context()
    options = parse(TrashOptions, MultiDict(given("offset")))
    count = parts.store.trash.count()
    entries = parts.store.trash.list(limit=options.limit, offset=options.offset)
    return render_template(
        "trash.html",
        entries=[(entry, removed_after(entry)) for entry in entries],
        count=count,
        keep_days=parts.settings.keep_trash_days,
        older=options.offset + options.limit if options.offset + options.limit < count else None,
        restored=request.args.get("restored", type=int),
        deleted=request.args.get("deleted", type=int),
    )


@blueprint.post("/trash/restore")
@needs("admin")
def restore() -> Response:
    """Bring back one measurement, and lead to it, or what was deleted together, and lead to the history."""
    id_ = request.form.get("id")
    if id_:
        context().store.trash.restore(id_, by=caller())
        return redirect(link("pages.measurement", id=id_), 303)
    restored = restore_together(parse(DeletionOptions, MultiDict(_form("deletion"))).deletion)
    back = known(HistoryOptions, request.form).to_dict()
    return redirect(link("pages.history", **{**back, "restored": restored}), 303)


@blueprint.post("/trash/delete")
@needs("admin")
def delete_trashed() -> Response:
    """Delete one measurement in the trash for good, or all of them, where they are still as many."""
    id_ = request.form.get("id")
    if id_:
        context().store.trash.delete(id_, by=caller())
        return redirect(link("pages.trash", deleted=1), 303)
    count = parse(EmptyingOptions, MultiDict(_form("count"))).count
    return redirect(link("pages.trash", deleted=context().store.trash.empty(count=count, by=caller())), 303)


def _form(name: str) -> dict[str, str]:
    return {name: request.form[name]} if name in request.form else {}
