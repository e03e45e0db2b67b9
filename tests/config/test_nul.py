import pytest


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    ["/admin/pitches/reviewtask/%00/change/", "/admin/pitches/reviewtask/?status__exact=%00"],
)
def test_an_address_with_a_nul_is_answered_with_a_sentence(admin_client, address):
    answer = admin_client.get(address)
    assert answer.status_code == 400
    assert b"character" in answer.content
